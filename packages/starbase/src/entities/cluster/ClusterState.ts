/** State and events of a Cluster, and how an event changes the state. Pure. README beside this file has the theory. */
import { AppId } from "@starform/domain/ids/AppId"
import { TokenHash } from "@starform/domain/ids/Digest"
import { ClusterId, ProjectId } from "@starform/domain/ids/Ids"
import * as Revision from "@starform/domain/ids/Revision"
import { NamespaceName, Slug } from "@starform/domain/ids/Slug"
import { ObservedApp } from "@starform/domain/observed/ObservedApp"
import * as Schema from "effect/Schema"
import { DesiredEntry } from "../../desired/DesiredEntry.ts"
import { credentialEvents, CredentialState, evolveCredential, noCredential } from "./AgentCredential.ts"

export const Registration = Schema.Struct({
  clusterId: ClusterId,
  name: Slug,
  region: Schema.String,
  /** `null` while no agent has joined. */
  agentTokenHash: Schema.NullOr(TokenHash)
})
export type Registration = typeof Registration.Type

export const NumberedEntry = Schema.Struct({ entry: DesiredEntry, n: Schema.Int })

export const NumberedTombstone = Schema.Struct({
  appId: AppId,
  projectId: ProjectId,
  namespace: NamespaceName,
  ordinal: Schema.Int,
  n: Schema.Int
})
export type NumberedTombstone = typeof NumberedTombstone.Type

const Observed = Schema.toType(ObservedApp)

export const ClusterState = Schema.Struct({
  registration: Schema.NullOr(Registration),
  credential: CredentialState,
  epoch: Schema.String,
  /** Whether the agent may prune under this epoch; the first one of a cluster is confirmed (INV-CLU-8). */
  epochConfirmed: Schema.Boolean,
  /** Epochs that were renewed: an agent that names one of them is late, not of another history. */
  pastEpochs: Schema.Array(Schema.String),
  n: Schema.Int,
  lbSizeUnits: Schema.Int,
  entries: Schema.Record(Schema.String, NumberedEntry),
  tombstones: Schema.Record(Schema.String, NumberedTombstone),
  /** Highest ordinal ever written per app; never forgotten (INV-CLU-2). */
  fences: Schema.Record(Schema.String, Schema.Int),
  /** A base below this number misses a cleared tombstone, or was never given in this epoch (INV-CLU-4). */
  deltaFloor: Schema.Int,
  observed: Schema.Record(Schema.String, Observed),
  /** Highest number whose tombstones an operator allowed to exceed the agent's prune limit. */
  massPruneConfirmedAt: Schema.Int
})
export type ClusterState = typeof ClusterState.Type

export const ClusterEvent = Schema.TaggedUnion({
  ClusterRegistered: { registration: Registration, epoch: Schema.String },
  AgentCredentialChanged: { agentTokenHash: TokenHash },
  EntryPut: { entry: DesiredEntry, n: Schema.Int },
  EntryRemoved: { tombstone: NumberedTombstone },
  TombstoneCleared: { appId: AppId, n: Schema.Int },
  AppObserved: { observed: Observed },
  MassPruneConfirmed: { n: Schema.Int },
  EpochRenewed: { epoch: Schema.String },
  EpochConfirmed: { n: Schema.Int },
  /** A removal of an app that is not here: later writes below it are late all the same. */
  FenceRaised: { appId: AppId, ordinal: Schema.Int },
  ...credentialEvents
})
export type ClusterEvent = typeof ClusterEvent.Type

export const initial = (): ClusterState => ({
  registration: null,
  credential: noCredential,
  epoch: "00000000",
  epochConfirmed: true,
  pastEpochs: [],
  n: 0,
  lbSizeUnits: 1,
  entries: {},
  tombstones: {},
  fences: {},
  deltaFloor: 0,
  observed: {},
  massPruneConfirmedAt: 0
})

/** Whether an operator has confirmed every tombstone that stands now; one that came later needs a confirmation of its own. */
export const isMassPruneConfirmed = (state: ClusterState): boolean => {
  const standing = Object.values(state.tombstones)
  return standing.length > 0 && standing.every(({ n }) => n <= state.massPruneConfirmedAt)
}

export const revisionOf = (state: ClusterState): Revision.Revision =>
  Revision.format({ epoch: state.epoch, n: state.n })

const without = <A>(record: Readonly<Record<string, A>>, key: string): Readonly<Record<string, A>> => {
  const { [key]: _, ...rest } = record
  return rest
}

export const evolve = (state: ClusterState, event: ClusterEvent): ClusterState => {
  switch (event._tag) {
    case "ClusterRegistered":
      return { ...state, registration: event.registration, epoch: event.epoch }
    case "AgentCredentialChanged":
      return state.registration === null
        ? state
        : {
            ...state,
            registration: { ...state.registration, agentTokenHash: event.agentTokenHash },
            credential: noCredential
          }
    case "EntryPut": {
      const { appId, ordinal } = event.entry
      return {
        ...state,
        n: event.n,
        entries: { ...state.entries, [appId]: { entry: event.entry, n: event.n } },
        tombstones: without(state.tombstones, appId),
        fences: { ...state.fences, [appId]: ordinal }
      }
    }
    case "EntryRemoved": {
      const { appId, n, ordinal } = event.tombstone
      return {
        ...state,
        n,
        entries: without(state.entries, appId),
        tombstones: { ...state.tombstones, [appId]: event.tombstone },
        fences: { ...state.fences, [appId]: ordinal }
      }
    }
    case "TombstoneCleared": {
      const cleared = state.tombstones[event.appId]
      return {
        ...state,
        n: event.n,
        tombstones: without(state.tombstones, event.appId),
        observed: without(state.observed, event.appId),
        deltaFloor: Math.max(state.deltaFloor, cleared?.n ?? event.n)
      }
    }
    case "AppObserved":
      return { ...state, observed: { ...state.observed, [event.observed.appId]: event.observed } }
    case "MassPruneConfirmed":
      return { ...state, n: event.n, massPruneConfirmedAt: event.n }
    case "EpochRenewed":
      return {
        ...state,
        epoch: event.epoch,
        epochConfirmed: false,
        pastEpochs: [...state.pastEpochs, state.epoch],
        deltaFloor: state.n,
        massPruneConfirmedAt: 0
      }
    case "EpochConfirmed":
      return { ...state, n: event.n, epochConfirmed: true }
    case "FenceRaised":
      return { ...state, fences: { ...state.fences, [event.appId]: event.ordinal } }
    default: {
      const { agentTokenHash, credential } = evolveCredential(state, event)
      return {
        ...state,
        credential,
        registration: state.registration === null ? null : { ...state.registration, agentTokenHash }
      }
    }
  }
}
