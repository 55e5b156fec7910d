/** What the agent keeps of its credentials, and how a step of joining or rotating changes it. Pure; README has the steps. */
import { createHash, randomBytes } from "node:crypto"
import type { ClusterId } from "@starform/domain/ids/Ids"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

const Secret = Schema.RedactedFromValue(Schema.String)

/** Version 1 of what is stored; another one is not read. */
export const StoredCredential = Schema.Struct({
  version: Schema.Literal(1),
  /** `null` before the first join. */
  current: Schema.NullOr(Secret),
  /** Made, and offered to Starbase or about to be. */
  next: Schema.NullOr(Secret),
  /** The one before, for as long as Starbase has not taken the present one. */
  previous: Schema.NullOr(Secret),
  /** Made for a join token whose exchange is not acknowledged yet. */
  joining: Schema.NullOr(Schema.Struct({ tokenHash: Schema.String, credential: Secret })),
  /** SHA-256 of the join token that was exchanged last. */
  joinedBy: Schema.NullOr(Schema.String),
  /** When `current` came, by this agent's clock. */
  sinceMs: Schema.Int
})
export type StoredCredential = typeof StoredCredential.Type

export const empty: StoredCredential = {
  version: 1,
  current: null,
  next: null,
  previous: null,
  joining: null,
  joinedBy: null,
  sinceMs: 0
}

export type Change = (stored: StoredCredential) => StoredCredential

/** SHA-256 as hex: all that Starbase gets of a credential before it is used. */
export const hashOf = (token: Redacted.Redacted): string =>
  createHash("sha256").update(Redacted.value(token)).digest("hex")

/** 256 random bits that name their cluster. */
export const fresh = (clusterId: ClusterId): Redacted.Redacted =>
  Redacted.make(`sfc_${clusterId}_${randomBytes(32).toString("base64url")}`)

export const isJoinToken = (token: Redacted.Redacted): boolean => Redacted.value(token).startsWith("sfj_")

export const isSame = (a: Redacted.Redacted | null, b: Redacted.Redacted | null): boolean =>
  a !== null && b !== null && Redacted.value(a) === Redacted.value(b)

/** Kept before Starbase is asked: whatever is lost on the way, the same request settles it. */
export const startJoin =
  (tokenHash: string, credential: Redacted.Redacted): Change =>
  (stored) =>
    stored.joinedBy === tokenHash || stored.joining?.tokenHash === tokenHash
      ? stored
      : { ...stored, joining: { tokenHash, credential } }

export const finishJoin =
  (tokenHash: string, nowMs: number): Change =>
  (stored) =>
    stored.joining?.tokenHash === tokenHash
      ? { ...empty, current: stored.joining.credential, joinedBy: tokenHash, sinceMs: nowMs }
      : stored

/** One that was made before and never acknowledged is offered again. */
export const startRotation =
  (credential: Redacted.Redacted): Change =>
  (stored) =>
    stored.current === null || stored.next !== null ? stored : { ...stored, next: credential }

/** Starbase takes both from here on. */
export const finishRotation =
  (offered: Redacted.Redacted, nowMs: number): Change =>
  (stored) =>
    isSame(stored.next, offered)
      ? { ...stored, current: stored.next, previous: stored.current, next: null, sinceMs: nowMs }
      : stored

/** Nothing is left of the one before once Starbase took this one. */
export const taken =
  (credential: Redacted.Redacted): Change =>
  (stored) =>
    stored.previous !== null && isSame(stored.current, credential) ? { ...stored, previous: null } : stored

/** The one before is tried again when the present one is refused and was never taken. */
export const fallBack =
  (refused: Redacted.Redacted): Change =>
  (stored) =>
    stored.previous !== null && isSame(stored.current, refused)
      ? { ...stored, current: stored.previous, previous: stored.current }
      : stored
