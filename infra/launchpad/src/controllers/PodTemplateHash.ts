/**
 * Names of ReplicaSets: 32-bit FNV-1a over the template's canonical JSON and the collision count, written in
 * Kubernetes' alphabet without vowels (apimachinery `rand.SafeEncodeString`). The value itself is not Kubernetes',
 * which hashes a Go dump; nobody may rely on it.
 */
import { canonicalJson } from "./objects/CanonicalJson.ts"
import { withField } from "./objects/ObjectFields.ts"

const alphabet = "bcdfghjklmnpqrstvwxz2456789"
const offsetBasis = 0x811c9dc5
const prime = 0x01000193

/** 32-bit FNV-1a over UTF-8. */
export const fnv32a = (text: string): number => {
  let hash = offsetBasis
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, prime)
  }
  return hash >>> 0
}

/** Up to ten characters that are valid in names and spell nothing. */
export const safeEncode = (value: number): string =>
  [...String(value)].map((digit) => alphabet[digit.charCodeAt(0) % alphabet.length]).join("")

/** Label that ties pods and ReplicaSets to one template. */
export const templateHashLabel = "pod-template-hash"

/** The template as the Deployment wrote it, without what controllers added. */
export const withoutHash = (template: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  withField(template, ["metadata", "labels", templateHashLabel], undefined)

export const podTemplateHash = (template: Readonly<Record<string, unknown>>, collisionCount = 0): string =>
  safeEncode(fnv32a(`${canonicalJson(template)}${collisionCount === 0 ? "" : `#${collisionCount}`}`))
