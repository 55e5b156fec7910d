/** The App as the journal sees it: codecs, and what its events cause outside. Pure. */
import type { OutboxEffect } from "../../outbox/OutboxEffect.ts"
import * as Outbox from "../../outbox/OutboxEffect.ts"
import type { EntityModel } from "../../journal/EntityModel.ts"
import type { ReadModelRow } from "../../journal/Journal.ts"
import { isTerminal } from "@starform/domain/model/Deploy"
import { publicDeploy } from "./AppDeploys.ts"
import { AppEvent, AppState, evolve, findDeploy, initial } from "./AppState.ts"

/** What the cluster must be told after a rollout was given up. */
const restoration = (state: AppState, ordinal: number | null): ReadonlyArray<OutboxEffect> => {
  if (ordinal === null || state.identity === null) return []
  const { clusterId, appId } = state.identity
  return state.desired === null
    ? [{ _tag: "RemoveDesired", clusterId, appId, ordinal }]
    : [{ _tag: "PutDesired", clusterId, entry: state.desired }]
}

const effects = (event: AppEvent, state: AppState): ReadonlyArray<OutboxEffect> => {
  const { identity } = state
  if (identity === null) return []
  switch (event._tag) {
    case "DeployRequested":
      return [{ _tag: "StartDeploy", appId: identity.appId, deployId: event.deployId, kind: event.kind }]
    case "DeploySuperseded":
      return [
        { _tag: "CancelBuild", workspaceId: identity.workspaceId, deployId: event.deployId },
        { _tag: "SettleDeploy", deployId: event.deployId }
      ]
    case "DeployCancelled":
      return [
        ...restoration(state, event.restoredOrdinal),
        { _tag: "CancelBuild", workspaceId: identity.workspaceId, deployId: event.deployId },
        { _tag: "SettleDeploy", deployId: event.deployId }
      ]
    case "RolloutStarted":
      return [{ _tag: "PutDesired", clusterId: identity.clusterId, entry: event.entry }]
    case "DeployLive":
      return [{ _tag: "SettleDeploy", deployId: event.deployId }]
    case "DeployFailed":
      return [
        ...restoration(state, event.restoredOrdinal),
        { _tag: "SettleDeploy", deployId: event.deployId }
      ]
    default:
      return []
  }
}

/**
 * Read models: `app` by project; `deploy` by app; `branch`, live pushes whose branch has not moved; `running-deploy`,
 * deploys that have not ended.
 */
const rows = (events: ReadonlyArray<AppEvent>, state: AppState): ReadonlyArray<ReadModelRow> => {
  const { identity } = state
  if (identity === null) return []
  const app: ReadModelRow = {
    model: "app",
    key: identity.appId,
    parent: identity.projectId,
    row: {
      identity,
      release: state.live?.entry.releaseId ?? null,
      deploy: state.deploys.at(-1)?.id ?? null,
      observed: state.observed?.phase ?? null
    }
  }
  const touched = new Set(events.flatMap((event) => ("deployId" in event ? [event.deployId] : [])))
  const deploys = [...touched].flatMap((deployId): ReadonlyArray<ReadModelRow> => {
    const record = findDeploy(state, deployId)
    if (record === undefined) return []
    const isBranchDue = record.phase === "deployed" && !record.branchSettled && record.commit !== null
    const running = { appId: identity.appId, deployId, requestedAtMs: record.requestedAtMs }
    const branch = { appId: identity.appId, deployId, commit: record.commit, ref: record.ref }
    return [
      { model: "deploy", key: deployId, parent: identity.appId, row: publicDeploy(record) },
      { model: "branch", key: deployId, parent: "due", row: isBranchDue ? { ...branch, identity } : null },
      {
        model: "running-deploy",
        key: deployId,
        parent: "all",
        row: isTerminal(record.phase) ? null : running
      }
    ]
  })
  return [app, ...deploys]
}

export const model: EntityModel<AppState, AppEvent, OutboxEffect> = {
  type: "App",
  state: AppState,
  event: AppEvent,
  effect: Outbox.OutboxEffect,
  initial,
  evolve,
  effects,
  reserves: (event) =>
    event._tag === "AppCreated" ? event.identity.hostnames.map((name) => ({ kind: "hostname", name })) : [],
  releases: () => [],
  rows
}
