import { hash } from "node:crypto"
import { canonicalJson } from "@starform/domain/desired/DocumentHash"

/** SHA-256 (hex) of a command's canonical JSON: equal for equal payloads, whatever the order of their keys. */
export const payloadHash = (encoded: unknown): string => hash("sha256", canonicalJson(encoded), "hex")
