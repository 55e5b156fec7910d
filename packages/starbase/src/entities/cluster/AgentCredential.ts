/**
 * Who may speak for a cluster: the credential of its agent, how it is joined, rotated and revoked. Pure. Hashes only; times are
 * of the clock of whoever owns the entity, never of the agent's (decision 0018).
 */
import { InvalidInput, NotFound, Unauthenticated } from "@starform/domain/errors/RequestErrors"
import { TokenHash } from "@starform/domain/ids/Digest"
import { joinTokenLifeMs, offerLifeMs } from "@starform/domain/protocol/AgentApi"
import type { AgentCredential as PublicCredential } from "@starform/domain/protocol/ClusterRpcs"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Decision } from "../../journal/JournaledEntity.ts"

/** What stands beside the credential itself, which is the registration's `agentTokenHash`. */
export const CredentialState = Schema.Struct({
  /** When the present credential came; `null` when by `RegisterCluster`, or when there is none. */
  sinceMs: Schema.NullOr(Schema.Int),
  /** The next one, taken beside the present one until it is used or its time passes. */
  offered: Schema.NullOr(Schema.Struct({ credentialHash: TokenHash, untilMs: Schema.Int })),
  /** The one before: taken for `rotationGraceMs`, for requests that were on their way; what it had parked ends in its own time. */
  previousHash: Schema.NullOr(TokenHash),
  rotationAsked: Schema.Boolean,
  join: Schema.NullOr(
    Schema.Struct({
      tokenHash: TokenHash,
      untilMs: Schema.Int,
      /** The credential that it was exchanged for. */
      usedByHash: Schema.NullOr(TokenHash)
    })
  )
})
export type CredentialState = typeof CredentialState.Type

export const noCredential: CredentialState = {
  sinceMs: null,
  offered: null,
  previousHash: null,
  rotationAsked: false,
  join: null
}

export const credentialEvents = {
  JoinTokenIssued: { tokenHash: TokenHash, untilMs: Schema.Int },
  AgentJoined: { agentTokenHash: TokenHash, atMs: Schema.Int },
  AgentRotationAsked: {},
  AgentCredentialOffered: { agentTokenHash: TokenHash, untilMs: Schema.Int },
  /** The offered one was used. */
  AgentCredentialRotated: { agentTokenHash: TokenHash, atMs: Schema.Int },
  AgentCredentialRevoked: {}
} as const

const CredentialEvent = Schema.TaggedUnion(credentialEvents)
export type CredentialEvent = typeof CredentialEvent.Type

/** The part of a Cluster that this file is about. */
export interface Holder {
  readonly registration: { readonly agentTokenHash: string | null } | null
  readonly credential: CredentialState
}

/** What an event leaves: the hash of the credential, and what stands beside it. */
export const evolveCredential = (
  { registration, credential }: Holder,
  event: CredentialEvent
): { readonly agentTokenHash: string | null; readonly credential: CredentialState } => {
  const agentTokenHash = registration?.agentTokenHash ?? null
  switch (event._tag) {
    case "JoinTokenIssued": {
      const { tokenHash, untilMs } = event
      return { agentTokenHash, credential: { ...credential, join: { tokenHash, untilMs, usedByHash: null } } }
    }
    case "AgentJoined": {
      const join = credential.join === null ? null : { ...credential.join, usedByHash: event.agentTokenHash }
      return {
        agentTokenHash: event.agentTokenHash,
        credential: { ...noCredential, sinceMs: event.atMs, join }
      }
    }
    case "AgentRotationAsked":
      return { agentTokenHash, credential: { ...credential, rotationAsked: true } }
    case "AgentCredentialOffered": {
      const offered = { credentialHash: event.agentTokenHash, untilMs: event.untilMs }
      return { agentTokenHash, credential: { ...credential, offered } }
    }
    case "AgentCredentialRotated":
      return {
        agentTokenHash: event.agentTokenHash,
        credential: {
          ...noCredential,
          sinceMs: event.atMs,
          previousHash: agentTokenHash,
          join: credential.join
        }
      }
    case "AgentCredentialRevoked":
      return { agentTokenHash: null, credential: noCredential }
  }
}

const isOffered = ({ credential: { offered } }: Holder, hash: string, nowMs: number): boolean =>
  offered !== null && offered.credentialHash === hash && nowMs < offered.untilMs

/** How long the credential before is taken after the new one was used: longer than a request is on its way, and its answer. */
export const rotationGraceMs = 60_000

const isPrevious = ({ credential: { previousHash, sinceMs } }: Holder, hash: string, nowMs: number) =>
  previousHash === hash && sinceMs !== null && nowMs < sinceMs + rotationGraceMs

/** INV-CLU-6: whether a request that carries this hash is the agent's. */
export const isPermitted = (state: Holder, hash: string, nowMs: number): boolean =>
  state.registration !== null &&
  (state.registration.agentTokenHash === hash ||
    isOffered(state, hash, nowMs) ||
    isPrevious(state, hash, nowMs))

/** INV-CLU-10: whether what it parked when it was permitted may wait on; a rotation ends nothing, a revocation everything. */
export const mayStay = (state: Holder, hash: string): boolean =>
  state.registration !== null &&
  (state.registration.agentTokenHash === hash ||
    state.credential.offered?.credentialHash === hash ||
    state.credential.previousHash === hash)

type Outcome<E> = Result.Result<Decision<Holder, CredentialEvent, void>, E>

const nothing = { events: [], reply: () => undefined } as const
const one = (event: CredentialEvent) => ({ events: [event], reply: () => undefined })
const unregistered = () => Result.fail(new NotFound({ kind: "cluster", name: "" }))
const stranger = () => Result.fail(new Unauthenticated({}))

/** Replaces the join token before it, used or not. The one that was used last is not issued again. */
export const issueJoinToken = (
  state: Holder,
  command: { readonly joinTokenHash: string },
  nowMs: number
): Outcome<NotFound | InvalidInput> => {
  if (state.registration === null) return unregistered()
  const { joinTokenHash: tokenHash } = command
  const { join } = state.credential
  if (join?.tokenHash === tokenHash && join.usedByHash !== null) {
    return Result.fail(new InvalidInput({ field: "joinTokenHash", problem: "is of a token that was used" }))
  }
  return Result.succeed(one({ _tag: "JoinTokenIssued", tokenHash, untilMs: nowMs + joinTokenLifeMs }))
}

/** Once; the repeat of the agent that it made is no second time. All that is wrong with a token is one answer. */
export const join = (
  state: Holder,
  request: { readonly joinTokenHash: string; readonly credentialHash: string },
  nowMs: number
): Outcome<Unauthenticated> => {
  const token = state.credential.join
  if (state.registration === null || token?.tokenHash !== request.joinTokenHash) return stranger()
  const { credentialHash: agentTokenHash } = request
  if (token.usedByHash !== null) {
    const isRepeat =
      token.usedByHash === agentTokenHash && state.registration.agentTokenHash === agentTokenHash
    return isRepeat ? Result.succeed(nothing) : stranger()
  }
  if (nowMs >= token.untilMs) return stranger()
  return Result.succeed(one({ _tag: "AgentJoined", agentTokenHash, atMs: nowMs }))
}

/** An offered credential that is used is the agent's from now on. */
export const use = (
  state: Holder,
  agentTokenHash: string,
  nowMs: number
): Decision<Holder, CredentialEvent, void> =>
  state.registration?.agentTokenHash !== agentTokenHash && isOffered(state, agentTokenHash, nowMs)
    ? one({ _tag: "AgentCredentialRotated", agentTokenHash, atMs: nowMs })
    : nothing

/** `agentTokenHash` is of the credential that the request came with. */
export const offer = (
  state: Holder,
  request: { readonly agentTokenHash: string; readonly credentialHash: string },
  nowMs: number
): Outcome<Unauthenticated> => {
  if (!isPermitted(state, request.agentTokenHash, nowMs)) return stranger()
  const { credentialHash: agentTokenHash } = request
  const isKnown =
    state.registration?.agentTokenHash === agentTokenHash || isOffered(state, agentTokenHash, nowMs)
  return Result.succeed(
    isKnown ? nothing : one({ _tag: "AgentCredentialOffered", agentTokenHash, untilMs: nowMs + offerLifeMs })
  )
}

export const askRotation = (state: Holder): Outcome<NotFound | InvalidInput> => {
  if (state.registration === null) return unregistered()
  if (state.registration.agentTokenHash === null) {
    return Result.fail(new InvalidInput({ field: "cluster", problem: "has no agent yet: nothing to rotate" }))
  }
  return Result.succeed(state.credential.rotationAsked ? nothing : one({ _tag: "AgentRotationAsked" }))
}

/** Takes back what opens anything, join tokens too. */
export const revoke = (state: Holder): Outcome<NotFound> => {
  if (state.registration === null) return unregistered()
  const isBare =
    state.registration.agentTokenHash === null &&
    state.credential.offered === null &&
    state.credential.join === null
  return Result.succeed(isBare ? nothing : one({ _tag: "AgentCredentialRevoked" }))
}

export const publicCredential = (state: Holder, nowMs: number): PublicCredential => {
  const { offered, join, sinceMs, rotationAsked } = state.credential
  const isOffering = offered !== null && nowMs < offered.untilMs
  const isJoinable = join !== null && join.usedByHash === null && nowMs < join.untilMs
  const hasOne = (state.registration?.agentTokenHash ?? null) !== null
  return {
    state: hasOne ? (isOffering ? "rotating" : "valid") : "none",
    sinceMs,
    rotationAsked,
    joinTokenUntilMs: isJoinable ? join.untilMs : null
  }
}
