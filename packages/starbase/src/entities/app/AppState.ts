/** State and events of an App, and how an event changes the state. Pure. README beside this file has the theory. */
import { AppId } from "@starform/domain/ids/AppId"
import { CommitSha, Digest } from "@starform/domain/ids/Digest"
import { ClusterId, DeployId, ProjectId, ReleaseId, ServiceId, WorkspaceId } from "@starform/domain/ids/Ids"
import { EnvironmentName, Hostname, NamespaceName, Slug } from "@starform/domain/ids/Slug"
import * as Settings from "@starform/domain/model/AppSettings"
import { Deploy, DeployFailure, DeployKind, isTerminal } from "@starform/domain/model/Deploy"
import { Release } from "@starform/domain/model/Release"
import { ServiceType } from "@starform/domain/model/Workspace"
import { ObservedApp } from "@starform/domain/observed/ObservedApp"
import * as Schema from "effect/Schema"
import { DesiredEntry } from "../../desired/DesiredEntry.ts"

/** Facts of the ownership tree, fixed when the app comes to be. */
export const AppIdentity = Schema.Struct({
  appId: AppId,
  workspaceId: WorkspaceId,
  workspaceSlug: Slug,
  projectId: ProjectId,
  projectSlug: Slug,
  environment: EnvironmentName,
  serviceId: ServiceId,
  serviceSlug: Slug,
  serviceType: ServiceType,
  clusterId: ClusterId,
  namespace: NamespaceName,
  hostnames: Schema.Array(Hostname)
})
export type AppIdentity = typeof AppIdentity.Type

/** A deploy with what its workflow needs to know. */
export const DeployRecord = Schema.Struct({
  ...Deploy.fields,
  /** The pushed tree, in the blob store; `null` unless the kind is `push`. */
  source: Schema.NullOr(Digest),
  /** Where the push went, as a person would name it. */
  repository: Schema.NullOr(Schema.String),
  requestedBy: Schema.String,
  requestedAtMs: Schema.Int,
  /** The branch has moved to this commit, or never will. */
  branchSettled: Schema.Boolean
})
export type DeployRecord = typeof DeployRecord.Type

export const Live = Schema.Struct({ entry: DesiredEntry, sinceMs: Schema.Int })

export const Observation = Schema.Struct({
  ...ObservedApp.to.fields,
  sinceMs: Schema.Int
})
export type Observation = typeof Observation.Type

export const AppState = Schema.Struct({
  identity: Schema.NullOr(AppIdentity),
  settings: Settings.AppSettings,
  /** The highest ordinal ever given to a deploy or a restoration. */
  ordinal: Schema.Int,
  restartNonce: Schema.String,
  releaseCount: Schema.Int,
  /** Oldest first, the newest 100 and all of `liveReleases`. */
  releases: Schema.Array(Release),
  /** Oldest first, the newest 50. */
  deploys: Schema.Array(DeployRecord),
  /** What the cluster was last told to run. */
  desired: Schema.NullOr(DesiredEntry),
  live: Schema.NullOr(Live),
  /** Releases that were live, newest last, without repeats in a row; at most 20. */
  liveReleases: Schema.Array(ReleaseId),
  observed: Schema.NullOr(Observation)
})
export type AppState = typeof AppState.Type

export const AppEvent = Schema.TaggedUnion({
  AppCreated: { identity: AppIdentity },
  DeployRequested: {
    deployId: DeployId,
    ordinal: Schema.Int,
    kind: DeployKind,
    commit: Schema.NullOr(CommitSha),
    ref: Schema.NullOr(Schema.String),
    source: Schema.NullOr(Digest),
    repository: Schema.NullOr(Schema.String),
    releaseId: Schema.NullOr(ReleaseId),
    requestedBy: Schema.String,
    branchSettled: Schema.Boolean,
    atMs: Schema.Int
  },
  DeploySuperseded: { deployId: DeployId, by: DeployId, atMs: Schema.Int },
  DeployCancelled: { deployId: DeployId, restoredOrdinal: Schema.NullOr(Schema.Int), atMs: Schema.Int },
  BuildStarted: { deployId: DeployId, atMs: Schema.Int },
  ReleaseBuilt: { deployId: DeployId, release: Release, atMs: Schema.Int },
  RolloutStarted: { deployId: DeployId, entry: DesiredEntry, atMs: Schema.Int },
  DeployLive: { deployId: DeployId, atMs: Schema.Int },
  DeployFailed: {
    deployId: DeployId,
    failure: DeployFailure,
    /** Ordinal of the restoration that this failure caused; `null` when what was desired was live, or nothing was. */
    restoredOrdinal: Schema.NullOr(Schema.Int),
    atMs: Schema.Int
  },
  ObservationChanged: { observation: Observation },
  SettingsChanged: { settings: Settings.AppSettings },
  RestartRequested: { nonce: Schema.String },
  BranchSettled: { deployId: DeployId }
})
export type AppEvent = typeof AppEvent.Type

const deploysKept = 50
const releasesKept = 100
const liveReleasesKept = 20

export const initial = (): AppState => ({
  identity: null,
  settings: Settings.defaults,
  ordinal: 0,
  restartNonce: "",
  releaseCount: 0,
  releases: [],
  deploys: [],
  desired: null,
  live: null,
  liveReleases: [],
  observed: null
})

export const findDeploy = (state: AppState, deployId: DeployId): DeployRecord | undefined =>
  state.deploys.find((deploy) => deploy.id === deployId)

/** The deploy that has not ended, if any (INV-APP-1). */
export const activeDeploy = (state: AppState): DeployRecord | undefined =>
  state.deploys.findLast((deploy) => !isTerminal(deploy.phase))

const change = (
  state: AppState,
  deployId: DeployId,
  f: (deploy: DeployRecord) => DeployRecord
): AppState => ({
  ...state,
  deploys: state.deploys.map((deploy) => (deploy.id === deployId ? f(deploy) : deploy))
})

const enter =
  (phase: DeployRecord["phase"], atMs: number, fields: Partial<DeployRecord> = {}) =>
  (deploy: DeployRecord): DeployRecord => ({
    ...deploy,
    ...fields,
    phase,
    phases: [...deploy.phases, { phase, atMs }]
  })

/** What is desired after a rollout was given up: the live entry at a new ordinal, or nothing. */
const restored = (state: AppState, ordinal: number | null): AppState =>
  ordinal === null
    ? state
    : { ...state, ordinal, desired: state.live === null ? null : { ...state.live.entry, ordinal } }

const withObservation = (state: AppState, observation: Observation): AppState => {
  const entry = state.desired
  const isLive = observation.phase === "available" && entry !== null && entry.ordinal === observation.ordinal
  if (!isLive) return { ...state, observed: observation }
  const liveReleases =
    state.liveReleases.at(-1) === entry.releaseId
      ? state.liveReleases
      : [...state.liveReleases, entry.releaseId].slice(-liveReleasesKept)
  return { ...state, observed: observation, live: { entry, sinceMs: observation.sinceMs }, liveReleases }
}

const requested = (state: AppState, event: typeof AppEvent.cases.DeployRequested.Type): AppState => {
  const phase = event.kind === "push" ? "pending" : "built"
  const { deployId: id, atMs, _tag, ...fields } = event
  const deploy: DeployRecord = {
    ...fields,
    id,
    phase,
    phases: [{ phase, atMs }],
    failure: null,
    supersededBy: null,
    requestedAtMs: atMs
  }
  return { ...state, ordinal: event.ordinal, deploys: [...state.deploys, deploy].slice(-deploysKept) }
}

/** What is live, or was, stays: it can be restarted and rolled back to, however many builds came after it. */
const withRelease = ({ releases, liveReleases }: AppState, release: Release): ReadonlyArray<Release> => {
  const oldest = releases.length + 1 - releasesKept
  return [...releases.filter(({ id }, index) => index >= oldest || liveReleases.includes(id)), release]
}

export const evolve = (state: AppState, event: AppEvent): AppState => {
  switch (event._tag) {
    case "AppCreated":
      return { ...state, identity: event.identity }
    case "DeployRequested":
      return requested(state, event)
    case "DeploySuperseded":
      return change(state, event.deployId, enter("superseded", event.atMs, { supersededBy: event.by }))
    case "DeployCancelled":
      return restored(change(state, event.deployId, enter("cancelled", event.atMs)), event.restoredOrdinal)
    case "BuildStarted":
      return change(state, event.deployId, enter("building", event.atMs))
    case "ReleaseBuilt":
      return change(
        { ...state, releaseCount: event.release.number, releases: withRelease(state, event.release) },
        event.deployId,
        enter("built", event.atMs, { releaseId: event.release.id })
      )
    case "RolloutStarted":
      return change({ ...state, desired: event.entry }, event.deployId, enter("deploying", event.atMs))
    case "DeployLive":
      return change(state, event.deployId, enter("deployed", event.atMs))
    case "DeployFailed":
      return restored(
        change(state, event.deployId, enter("failed", event.atMs, { failure: event.failure })),
        event.restoredOrdinal
      )
    case "ObservationChanged":
      return withObservation(state, event.observation)
    case "SettingsChanged":
      return { ...state, settings: event.settings }
    case "RestartRequested":
      return { ...state, restartNonce: event.nonce }
    case "BranchSettled":
      return change(state, event.deployId, (deploy) => ({ ...deploy, branchSettled: true }))
  }
}
