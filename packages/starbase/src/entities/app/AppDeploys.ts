/** Decisions about deploys: `(state, command, now) → events | rejection`. Pure; nothing here waits or writes. */
import { DeployEnded, NoEarlierRelease, NothingLive } from "@starform/domain/errors/DeployErrors"
import { NotFound } from "@starform/domain/errors/RequestErrors"
import type { CommitSha, Digest, ImageReference } from "@starform/domain/ids/Digest"
import type { BuildId, DeployId, ReleaseId } from "@starform/domain/ids/Ids"
import { type Deploy, type DeployFailure, isTerminal } from "@starform/domain/model/Deploy"
import type { ReleaseProcess } from "@starform/domain/model/Release"
import * as Result from "effect/Result"
import type { Decision } from "../../journal/JournaledEntity.ts"
import { desiredEntry } from "./AppEntry.ts"
import { activeDeploy, type AppEvent, type AppState, type DeployRecord, findDeploy } from "./AppState.ts"

type Outcome<Reply, Rejection> = Result.Result<Decision<AppState, AppEvent, Reply>, Rejection>

export interface PushCommand {
  readonly deployId: DeployId
  readonly commit: CommitSha
  readonly ref: string
  readonly source: Digest
  readonly repository: string
  readonly requestedBy: string
  /** No branch waits for this deploy to be live. */
  readonly detached: boolean
}

export interface BuiltImage {
  readonly deployId: DeployId
  readonly releaseId: ReleaseId
  readonly buildId: BuildId
  readonly image: ImageReference
  readonly digest: Digest
  readonly processes: ReadonlyArray<ReleaseProcess>
  /** From the repository's own settings file; replaces the app's setting when present. */
  readonly healthPath: string | null
}

/** The public part of a deploy's record. */
export const publicDeploy = (record: DeployRecord): Deploy => ({
  id: record.id,
  ordinal: record.ordinal,
  kind: record.kind,
  phase: record.phase,
  phases: record.phases,
  commit: record.commit,
  ref: record.ref,
  releaseId: record.releaseId,
  failure: record.failure,
  supersededBy: record.supersededBy
})

const unknownDeploy = (deployId: DeployId) => Result.fail(new NotFound({ kind: "deploy", name: deployId }))

const replyDeploy = (deployId: DeployId) => (state: AppState) => {
  const record = findDeploy(state, deployId)
  if (record === undefined) throw new Error(`INV-APP-1: deploy ${deployId} vanished from its own decision`)
  return publicDeploy(record)
}

const supersede = (state: AppState, by: DeployId, nowMs: number): ReadonlyArray<AppEvent> => {
  const active = activeDeploy(state)
  return active === undefined ? [] : [{ _tag: "DeploySuperseded", deployId: active.id, by, atMs: nowMs }]
}

/** A push: a build and then a rollout. The running deploy, if any, is superseded. */
export const acceptPush = (
  state: AppState,
  command: PushCommand,
  nowMs: number
): Outcome<Deploy, NotFound> => {
  if (state.identity === null) return Result.fail(new NotFound({ kind: "app", name: "" }))
  const events: ReadonlyArray<AppEvent> = [
    ...supersede(state, command.deployId, nowMs),
    {
      _tag: "DeployRequested",
      deployId: command.deployId,
      ordinal: state.ordinal + 1,
      kind: "push",
      commit: command.commit,
      ref: command.ref,
      source: command.source,
      repository: command.repository,
      releaseId: null,
      requestedBy: command.requestedBy,
      branchSettled: command.detached,
      atMs: nowMs
    }
  ]
  return Result.succeed({ events, reply: replyDeploy(command.deployId) })
}

/** A deploy of a release that exists, after the events that are the reason for it. */
export const deployRelease = (
  state: AppState,
  command: {
    readonly deployId: DeployId
    readonly kind: Exclude<Deploy["kind"], "push">
    readonly releaseId: ReleaseId
    readonly requestedBy: string
    readonly because: ReadonlyArray<AppEvent>
  },
  nowMs: number
): Decision<AppState, AppEvent, Deploy> => {
  const release = state.releases.find(({ id }) => id === command.releaseId)
  const requested: AppEvent = {
    _tag: "DeployRequested",
    deployId: command.deployId,
    ordinal: state.ordinal + 1,
    kind: command.kind,
    commit: release?.provenance.gitSha ?? null,
    ref: release?.provenance.gitRef ?? null,
    source: null,
    repository: release?.provenance.gitRepo ?? null,
    releaseId: command.releaseId,
    requestedBy: command.requestedBy,
    branchSettled: true,
    atMs: nowMs
  }
  return {
    events: [...supersede(state, command.deployId, nowMs), ...command.because, requested],
    reply: replyDeploy(command.deployId)
  }
}

/** @param release number of a release, or `null` for the one that was live before the one that is */
export const rollBack = (
  state: AppState,
  command: { readonly deployId: DeployId; readonly release: number | null; readonly requestedBy: string },
  nowMs: number
): Outcome<Deploy, NotFound | NoEarlierRelease> => {
  const { identity } = state
  if (identity === null) return Result.fail(new NotFound({ kind: "app", name: "" }))
  const current = state.live?.entry.releaseId
  const previousId = state.liveReleases.findLast((id) => id !== current)
  const target = state.releases.find(({ id, number }) =>
    command.release === null ? id === previousId : number === command.release
  )
  if (target === undefined) {
    return command.release === null
      ? Result.fail(new NoEarlierRelease({ appId: identity.appId }))
      : Result.fail(new NotFound({ kind: "release", name: String(command.release) }))
  }
  const deploy = { ...command, kind: "rollback", releaseId: target.id, because: [] } as const
  return Result.succeed(deployRelease(state, deploy, nowMs))
}

/** New pods of the live release. */
export const restart = (
  state: AppState,
  command: { readonly deployId: DeployId; readonly requestedBy: string },
  nowMs: number
): Outcome<Deploy, NotFound | NothingLive> => {
  if (state.identity === null) return Result.fail(new NotFound({ kind: "app", name: "" }))
  if (state.live === null) return Result.fail(new NothingLive({ appId: state.identity.appId }))
  const because: ReadonlyArray<AppEvent> = [{ _tag: "RestartRequested", nonce: command.deployId }]
  const releaseId = state.live.entry.releaseId
  return Result.succeed(deployRelease(state, { ...command, kind: "restart", releaseId, because }, nowMs))
}

/** From `pending`; a repeat while building changes nothing. */
export const startBuild = (
  state: AppState,
  command: { readonly deployId: DeployId },
  nowMs: number
): Outcome<Deploy, NotFound | DeployEnded> => {
  const deploy = findDeploy(state, command.deployId)
  if (deploy === undefined) return unknownDeploy(command.deployId)
  if (isTerminal(deploy.phase)) return ended(deploy)
  const events: ReadonlyArray<AppEvent> =
    deploy.phase === "pending" ? [{ _tag: "BuildStarted", deployId: deploy.id, atMs: nowMs }] : []
  return Result.succeed({ events, reply: replyDeploy(deploy.id) })
}

/** The build's result becomes the app's next release. */
export const recordRelease = (
  state: AppState,
  command: BuiltImage,
  nowMs: number
): Outcome<Deploy, NotFound | DeployEnded> => {
  const deploy = findDeploy(state, command.deployId)
  if (deploy === undefined || deploy.commit === null) return unknownDeploy(command.deployId)
  if (isTerminal(deploy.phase)) return ended(deploy)
  if (deploy.phase === "built" || deploy.phase === "deploying") {
    return Result.succeed({ events: [], reply: replyDeploy(deploy.id) })
  }
  const built: AppEvent = {
    _tag: "ReleaseBuilt",
    deployId: deploy.id,
    release: {
      id: command.releaseId,
      number: state.releaseCount + 1,
      image: command.image,
      digest: command.digest,
      processes: command.processes,
      provenance: {
        buildId: command.buildId,
        gitSha: deploy.commit,
        gitRef: deploy.ref ?? "",
        gitRepo: deploy.repository ?? ""
      },
      createdAtMs: nowMs
    },
    atMs: nowMs
  }
  const { health } = state.settings
  const settings: ReadonlyArray<AppEvent> =
    command.healthPath === null || command.healthPath === health.path
      ? []
      : [
          {
            _tag: "SettingsChanged",
            settings: { ...state.settings, health: { ...health, path: command.healthPath } }
          }
        ]
  return Result.succeed({ events: [...settings, built], reply: replyDeploy(deploy.id) })
}

/** From `built`: the release becomes desired. */
export const startRollout = (
  state: AppState,
  command: { readonly deployId: DeployId },
  nowMs: number
): Outcome<Deploy, NotFound | DeployEnded> => {
  const deploy = findDeploy(state, command.deployId)
  if (deploy === undefined || state.identity === null) return unknownDeploy(command.deployId)
  if (isTerminal(deploy.phase)) return ended(deploy)
  if (deploy.phase !== "built") return Result.succeed({ events: [], reply: replyDeploy(deploy.id) })
  const release = state.releases.find(({ id }) => id === deploy.releaseId)
  if (release === undefined)
    return Result.fail(new NotFound({ kind: "release", name: deploy.releaseId ?? "" }))
  const entry = desiredEntry(state.identity, state, deploy, release)
  const events: ReadonlyArray<AppEvent> = [
    { _tag: "RolloutStarted", deployId: deploy.id, entry, atMs: nowMs }
  ]
  return Result.succeed({ events, reply: replyDeploy(deploy.id) })
}

/**
 * Ordinal of the restoration that giving up the running deploy needs; `null` when what is desired is live already, or
 * nothing is (INV-APP-6). What is desired may be of an earlier deploy, which this one superseded in its rollout.
 */
export const restorationOrdinal = (state: AppState): number | null =>
  state.desired === null || state.desired.deployId === state.live?.entry.deployId ? null : state.ordinal + 1

export const failDeploy = (
  state: AppState,
  command: { readonly deployId: DeployId; readonly failure: DeployFailure },
  nowMs: number
): Outcome<Deploy, NotFound> => {
  const deploy = findDeploy(state, command.deployId)
  if (deploy === undefined) return unknownDeploy(command.deployId)
  if (isTerminal(deploy.phase)) return Result.succeed({ events: [], reply: replyDeploy(deploy.id) })
  const failed: AppEvent = {
    _tag: "DeployFailed",
    deployId: deploy.id,
    failure: { ...command.failure, phase: deploy.phase },
    restoredOrdinal: restorationOrdinal(state),
    atMs: nowMs
  }
  return Result.succeed({ events: [failed], reply: replyDeploy(deploy.id) })
}

/** Allowed in every phase before the end; afterwards `DeployEnded`. */
export const cancelDeploy = (
  state: AppState,
  command: { readonly deployId: DeployId },
  nowMs: number
): Outcome<Deploy, NotFound | DeployEnded> => {
  const deploy = findDeploy(state, command.deployId)
  if (deploy === undefined) return unknownDeploy(command.deployId)
  if (isTerminal(deploy.phase)) return ended(deploy)
  const cancelled: AppEvent = {
    _tag: "DeployCancelled",
    deployId: deploy.id,
    restoredOrdinal: restorationOrdinal(state),
    atMs: nowMs
  }
  return Result.succeed({ events: [cancelled], reply: replyDeploy(deploy.id) })
}

/** The branch of this deploy has moved, or never will; nothing for a deploy that nobody remembers. */
export const settleBranch = (
  state: AppState,
  { deployId }: { readonly deployId: DeployId }
): Outcome<void, never> => {
  const deploy = findDeploy(state, deployId)
  const events: ReadonlyArray<AppEvent> =
    deploy === undefined || deploy.branchSettled ? [] : [{ _tag: "BranchSettled", deployId }]
  return Result.succeed({ events, reply: () => undefined })
}

const ended = (deploy: DeployRecord) =>
  Result.fail(new DeployEnded({ deployId: deploy.id, phase: deploy.phase }))
