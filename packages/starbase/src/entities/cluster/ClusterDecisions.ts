/** Decisions of a Cluster: what is written by Apps and what its agent reports. Pure. */
import { Superseded } from "@starform/domain/errors/DeployErrors"
import { InvalidInput, NotFound } from "@starform/domain/errors/RequestErrors"
import type { AppId } from "@starform/domain/ids/AppId"
import type { Revision } from "@starform/domain/ids/Revision"
import type { ObservedApp, StatusReport } from "@starform/domain/observed/ObservedApp"
import * as Result from "effect/Result"
import { canonicalJson } from "@starform/domain/desired/DocumentHash"
import type { DesiredEntry } from "../../desired/DesiredEntry.ts"
import type { Decision } from "../../journal/JournaledEntity.ts"
import {
  type ClusterEvent,
  type ClusterState,
  evolve,
  isMassPruneConfirmed,
  type Registration
} from "./ClusterState.ts"
import { isPermitted } from "./AgentCredential.ts"
import { isUnheardOf } from "./DesiredAnswer.ts"

type Outcome<Reply, Rejection> = Result.Result<Decision<ClusterState, ClusterEvent, Reply>, Rejection>

const nothing = { events: [], reply: () => undefined } as const

/**
 * Idempotent for the same registration; one without a hash leaves the agent's credential as it is. `epoch` is random and used
 * only the first time.
 */
export const register = (
  state: ClusterState,
  command: { readonly registration: Registration; readonly epoch: string }
): Outcome<void, InvalidInput> => {
  const known = state.registration
  if (known === null) {
    const { registration, epoch } = command
    return Result.succeed({
      events: [{ _tag: "ClusterRegistered", registration, epoch }],
      reply: () => undefined
    })
  }
  if (known.name !== command.registration.name || known.region !== command.registration.region) {
    return Result.fail(new InvalidInput({ field: "cluster", problem: "is registered under another name" }))
  }
  const { agentTokenHash } = command.registration
  return Result.succeed(
    agentTokenHash === null || known.agentTokenHash === agentTokenHash
      ? nothing
      : { events: [{ _tag: "AgentCredentialChanged", agentTokenHash }], reply: () => undefined }
  )
}

const checkFence = (
  state: ClusterState,
  appId: AppId,
  ordinal: number
): Result.Result<number, Superseded> => {
  const fence = state.fences[appId] ?? 0
  return ordinal < fence
    ? Result.fail(new Superseded({ appId, ordinal, currentOrdinal: fence }))
    : Result.succeed(fence)
}

/** INV-CLU-2. The same entry again changes nothing. */
export const putDesired = (
  state: ClusterState,
  command: { readonly entry: DesiredEntry }
): Outcome<void, NotFound | Superseded> => {
  const { entry } = command
  if (state.registration === null) return Result.fail(new NotFound({ kind: "cluster", name: "" }))
  return Result.map(checkFence(state, entry.appId, entry.ordinal), () => {
    const present = state.entries[entry.appId]
    const isSame = present !== undefined && canonicalJson(present.entry) === canonicalJson(entry)
    if (isSame) return nothing
    return { events: [{ _tag: "EntryPut", entry, n: state.n + 1 }], reply: () => undefined }
  })
}

/** Leaves a tombstone; of an app that is not there only the fence is kept. */
export const removeDesired = (
  state: ClusterState,
  command: { readonly appId: AppId; readonly ordinal: number }
): Outcome<void, NotFound | Superseded> => {
  if (state.registration === null) return Result.fail(new NotFound({ kind: "cluster", name: "" }))
  return Result.map(checkFence(state, command.appId, command.ordinal), (fence) => {
    const { appId, ordinal } = command
    const present = state.entries[appId]
    if (present === undefined) {
      return ordinal === fence
        ? nothing
        : { events: [{ _tag: "FenceRaised", appId, ordinal }], reply: () => undefined }
    }
    const { projectId, namespace } = present.entry
    const tombstone = { appId, ordinal, projectId, namespace, n: state.n + 1 }
    return { events: [{ _tag: "EntryRemoved", tombstone }], reply: () => undefined }
  })
}

const isTransition = (before: ObservedApp | undefined, now: ObservedApp): boolean =>
  before === undefined ||
  before.ordinal !== now.ordinal ||
  before.phase !== now.phase ||
  before.releaseId !== now.releaseId ||
  before.reason?.code !== now.reason?.code ||
  before.reason?.message !== now.reason?.message

const seen = (state: ClusterState, observed: ObservedApp): ReadonlyArray<ClusterEvent> => {
  const { appId } = observed
  const tombstone = state.tombstones[appId]
  if (tombstone !== undefined) {
    const isGone = observed.phase === "absent" && observed.ordinal === tombstone.ordinal
    return isGone ? [{ _tag: "TombstoneCleared", appId, n: state.n + 1 }] : []
  }
  const entry = state.entries[appId]?.entry
  if (entry === undefined || entry.ordinal !== observed.ordinal) return []
  // A database that was restored gives the ordinals of the history that it lost once more, to other deploys.
  if (observed.deployId !== null && observed.deployId !== entry.deployId) return []
  return isTransition(state.observed[appId], observed) ? [{ _tag: "AppObserved", observed }] : []
}

/**
 * Level-triggered: only transitions become events. An observation of another ordinal or deploy than the entry's is late,
 * and one of an app that is not here is none of this cluster's business; both are left out.
 */
export const report = (
  state: ClusterState,
  status: StatusReport
): Decision<ClusterState, ClusterEvent, void> => {
  const events: Array<ClusterEvent> = []
  let now = state
  for (const observed of status.apps) {
    for (const event of seen(now, observed)) {
      events.push(event)
      now = evolve(now, event)
    }
  }
  return { events, reply: () => undefined }
}

/** Lets the tombstones that stand now exceed the agent's prune limit. A change of the document: parked pulls end. */
export const confirmMassPrune = (state: ClusterState): Decision<ClusterState, ClusterEvent, void> =>
  Object.keys(state.tombstones).length === 0 || isMassPruneConfirmed(state)
    ? nothing
    : { events: [{ _tag: "MassPruneConfirmed", n: state.n + 1 }], reply: () => undefined }

const renewed = (state: ClusterState, epoch: string): Decision<ClusterState, ClusterEvent, void> =>
  epoch === state.epoch || state.pastEpochs.includes(epoch)
    ? nothing
    : { events: [{ _tag: "EpochRenewed", epoch }], reply: () => undefined }

/** An operator says that the database was restored. `epoch` is random; one that was given before is not given again. */
export const renewEpoch = (
  state: ClusterState,
  command: { readonly epoch: string }
): Outcome<void, NotFound> =>
  state.registration === null
    ? Result.fail(new NotFound({ kind: "cluster", name: "" }))
    : Result.succeed(renewed(state, command.epoch))

/**
 * What an agent holds is not of this history, so the database was restored. An epoch that waits for an operator is not
 * renewed again: no agent can make the journal grow without one (INV-CLU-8).
 */
export const renewForAgent = (
  state: ClusterState,
  pull: { readonly agentTokenHash: string; readonly known: Revision | null; readonly epoch: string },
  nowMs: number
): Decision<ClusterState, ClusterEvent, void> =>
  isPermitted(state, pull.agentTokenHash, nowMs) && state.epochConfirmed && isUnheardOf(state, pull.known)
    ? renewed(state, pull.epoch)
    : nothing

/** Lets the agent prune in this epoch. A change of the document: parked pulls end. */
export const confirmEpoch = (
  state: ClusterState,
  command: { readonly epoch: string }
): Outcome<void, InvalidInput | NotFound> => {
  if (state.registration === null) return Result.fail(new NotFound({ kind: "cluster", name: "" }))
  if (command.epoch !== state.epoch) {
    return Result.fail(new InvalidInput({ field: "epoch", problem: `the cluster's is ${state.epoch} now` }))
  }
  return Result.succeed(
    state.epochConfirmed
      ? nothing
      : { events: [{ _tag: "EpochConfirmed", n: state.n + 1 }], reply: () => undefined }
  )
}
