import { createHash } from "node:crypto"

/**
 * A UUID (version 8) that is a function of its parts: what a request creates has the same id when the request is
 * repeated, so that the repeat is the same request.
 */
export const derivedId = (...parts: ReadonlyArray<string>): string => {
  const hex = createHash("sha256").update(JSON.stringify(parts)).digest("hex")
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16)
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32)
  ].join("-")
}
