/**
 * Public RPCs for whoever runs Starform: what entities, runners, deploys and the outbox do now, why an app is not live,
 * and a few safe actions. For operators only; for all others there is nothing here. `ExplainApp` is for people too.
 */
import * as Schema from "effect/Schema"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import { DeployEnded } from "../errors/DeployErrors.ts"
import { AppId } from "../ids/AppId.ts"
import { DeployId, RequestId } from "../ids/Ids.ts"
import { Deploy, DeployKind, DeployPhase } from "../model/Deploy.ts"
import { AppRef } from "./AppRpcs.ts"
import { Authentication } from "./Authentication.ts"
import { EntityType } from "./ClusterRpcs.ts"
import { Explanation } from "./Explanation.ts"
import { MutationError, ReadError } from "./TenantRpcs.ts"

/** Largest page of anything here. */
export const operatorPageMax = 500

const limit = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: operatorPageMax }))

const entity = { type: EntityType, id: Schema.String }

/** A request that an entity works on, or that waits there for something to change. */
export const RequestInFlight = Schema.Struct({
  tag: Schema.String,
  /** `null` for reads and reports, which have none. */
  requestId: Schema.NullOr(Schema.String),
  principal: Schema.NullOr(Schema.String),
  ageMs: Schema.Int
})
export type RequestInFlight = typeof RequestInFlight.Type

export const RecentError = Schema.Struct({
  atMs: Schema.Int,
  /** Of the request that ended so. */
  tag: Schema.String,
  error: Schema.String,
  /** One line for the operator. */
  line: Schema.String
})
export type RecentError = typeof RecentError.Type

export const Incarnation = Schema.Struct({
  sinceMs: Schema.Int,
  /** Of the newest event in memory; `null` while nothing has been read from the journal. */
  sequence: Schema.NullOr(Schema.Int),
  /** Requests that wait for their turn, and the age of the oldest of them. */
  waiting: Schema.Int,
  waitingOldestMs: Schema.NullOr(Schema.Int),
  /** All of them, and the oldest of those by name. */
  inFlightCount: Schema.Int,
  inFlight: Schema.Array(RequestInFlight),
  /** Newest first. */
  errors: Schema.Array(RecentError)
})
export type Incarnation = typeof Incarnation.Type

/**
 * `resident`: in memory, and it answered. `absent`: its owner holds nothing of it in memory, and it was not woken.
 * `overloaded`: its mailbox takes no more. `away`: its owner did not answer, or there is none.
 */
export const EntityStatus = Schema.Literals(["resident", "absent", "overloaded", "away"])
export type EntityStatus = typeof EntityStatus.Type

export const EntityActivity = Schema.Struct({
  ...entity,
  shardGroup: Schema.String,
  shard: Schema.Int,
  /** `host:port` of the runner that answered, or that took the shard last; `null` when nobody holds it. */
  owner: Schema.NullOr(Schema.String),
  status: EntityStatus,
  incarnation: Schema.NullOr(Incarnation)
})
export type EntityActivity = typeof EntityActivity.Type

const InspectActivity = Rpc.make("InspectActivity", {
  payload: entity,
  success: EntityActivity,
  error: ReadError
})

export const RunnerView = Schema.Struct({
  /** `host:port` */
  address: Schema.String,
  /** Shard groups that it takes shards of. */
  groups: Schema.Array(Schema.String),
  weight: Schema.Finite,
  healthy: Schema.Boolean,
  /** An operator asked it to take no shards. */
  drained: Schema.Boolean,
  /** `null` when it joined before anybody wrote that down. */
  sinceMs: Schema.NullOr(Schema.Int),
  shards: Schema.Array(Schema.Struct({ group: Schema.String, numbers: Schema.Array(Schema.Int) }))
})
export type RunnerView = typeof RunnerView.Type

const ListRunners = Rpc.make("ListRunners", { success: Schema.Array(RunnerView), error: ReadError })

/** `lost`: the runner was told, or found, that the lock is no longer its own. */
export const ShardMove = Schema.Struct({
  id: Schema.Int,
  atMs: Schema.Int,
  runner: Schema.String,
  kind: Schema.Literals(["joined", "left", "acquired", "released", "lost"]),
  /** `group:number`, sorted; empty for `joined` and `left`. */
  shards: Schema.Array(Schema.String)
})
export type ShardMove = typeof ShardMove.Type

/** Newest first, below `before`. */
const ListShardMoves = Rpc.make("ListShardMoves", {
  payload: { before: Schema.NullOr(Schema.Int), limit },
  success: Schema.Array(ShardMove),
  error: ReadError
})

/** What a builder says of a build. `away`: it did not answer. `unknown`: it knows of none. */
export const BuildView = Schema.Struct({
  status: Schema.Literals(["queued", "running", "ended", "unknown", "away"]),
  /** In the queue; 1 is next. */
  position: Schema.NullOr(Schema.Int),
  step: Schema.NullOr(Schema.String),
  sinceMs: Schema.NullOr(Schema.Int)
})
export type BuildView = typeof BuildView.Type

/** What the engine says of a deploy's workflow. `unknown`: it never began; `away`: its owner did not answer. */
export const WorkflowStatus = Schema.Literals(["unknown", "running", "waiting", "ended", "away"])
export type WorkflowStatus = typeof WorkflowStatus.Type

export const RunningDeploy = Schema.Struct({
  appId: AppId,
  deployId: DeployId,
  kind: DeployKind,
  requestedAtMs: Schema.Int,
  phase: DeployPhase,
  phaseSinceMs: Schema.Int,
  /** When the phase fails by itself; `null` for one without a deadline of its own. */
  deadlineAtMs: Schema.NullOr(Schema.Int),
  waitsFor: Schema.String,
  workflow: WorkflowStatus,
  build: Schema.NullOr(BuildView)
})
export type RunningDeploy = typeof RunningDeploy.Type

/** Deploys that have not ended, oldest first. */
const ListRunningDeploys = Rpc.make("ListRunningDeploys", {
  success: Schema.Array(RunningDeploy),
  error: ReadError
})

/**
 * What an entity's events still have to cause elsewhere, of a Cluster once for each app that it tells; the fields after
 * `rows` are of the row that is next.
 */
export const OutboxBacklog = Schema.Struct({
  type: Schema.String,
  id: Schema.String,
  rows: Schema.Int,
  effect: Schema.String,
  /** When the event that caused it was appended. */
  atMs: Schema.NullOr(Schema.Int),
  attempts: Schema.Int,
  dueMs: Schema.Int,
  problem: Schema.NullOr(Schema.String)
})
export type OutboxBacklog = typeof OutboxBacklog.Type

/** Those with the most failed attempts first, then the oldest. */
const ListOutbox = Rpc.make("ListOutbox", {
  payload: { limit },
  success: Schema.Array(OutboxBacklog),
  error: ReadError
})

/** Why is this app not live? In an operator's words, with runners and shards. */
const DiagnoseApp = Rpc.make("DiagnoseApp", {
  payload: { appId: AppId },
  success: Explanation,
  error: ReadError
})

/** The same in the words of whoever owns the app; anybody who may read the app may ask. */
const ExplainApp = Rpc.make("ExplainApp", {
  payload: { app: AppRef },
  success: Explanation,
  error: ReadError
})

/** Between two messages, what the entity has in memory is dropped and read again. Answers its sequence. */
const PassivateEntity = Rpc.make("PassivateEntity", {
  payload: { requestId: RequestId, ...entity },
  success: Schema.Struct({ sequence: Schema.Int }),
  error: MutationError
})

/**
 * `drained: true` has the runner hand over its shards and take none until `false` says otherwise, also after it started
 * again. Not done, and `InvalidInput`, when no other runner could take them.
 */
const DrainRunner = Rpc.make("DrainRunner", {
  payload: { requestId: RequestId, address: Schema.String, drained: Schema.Boolean },
  success: RunnerView,
  error: MutationError
})

/** What the app's outbox waits with is due now, and the deploy's workflow looks again at what it waits for. */
const RetryDeploy = Rpc.make("RetryDeploy", {
  payload: { requestId: RequestId, deployId: DeployId },
  success: Deploy,
  error: Schema.Union([MutationError, DeployEnded])
})

/** Cancels a running deploy on behalf of an operator; what is live stays. */
const StopDeploy = Rpc.make("StopDeploy", {
  payload: { requestId: RequestId, deployId: DeployId },
  success: Deploy,
  error: Schema.Union([MutationError, DeployEnded])
})

/** One look or action of an operator. */
export const AuditEntry = Schema.Struct({
  id: Schema.Int,
  atMs: Schema.Int,
  actor: Schema.String,
  action: Schema.String,
  target: Schema.String,
  /** `begun` until it is known; then `done`, or the tag of the error that was answered. */
  outcome: Schema.String
})
export type AuditEntry = typeof AuditEntry.Type

/** Newest first, below `before`. */
const ReadAudit = Rpc.make("ReadAudit", {
  payload: { before: Schema.NullOr(Schema.Int), limit },
  success: Schema.Array(AuditEntry),
  error: ReadError
})

export class OperatorRpcs extends RpcGroup.make(
  InspectActivity,
  ListRunners,
  ListShardMoves,
  ListRunningDeploys,
  ListOutbox,
  DiagnoseApp,
  ExplainApp,
  PassivateEntity,
  DrainRunner,
  RetryDeploy,
  StopDeploy,
  ReadAudit
).middleware(Authentication) {}
