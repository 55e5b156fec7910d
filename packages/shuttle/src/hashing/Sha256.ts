/** SHA-256 over text, synchronous so that pure code can use it. The only place that knows who computes it. */
import { hash } from "node:crypto"

/** 64 lower-case hex digits of the SHA-256 of the UTF-8 text. */
export const sha256Hex = (text: string): string => hash("sha256", text, "hex")
