/** Public RPCs on clusters and on the inside of entities. All but `ListClusters` are for operators only. */
import * as Schema from "effect/Schema"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import { TokenHash } from "../ids/Digest.ts"
import { ClusterId, RequestId } from "../ids/Ids.ts"
import { Epoch, Revision } from "../ids/Revision.ts"
import { Slug } from "../ids/Slug.ts"
import { Authentication } from "./Authentication.ts"
import { MutationError, ReadError } from "./TenantRpcs.ts"
import { AgentStanding, AgentVersion } from "./VersionSkew.ts"

/**
 * The agent's credential. `none`: nobody has joined, or it was revoked. `rotating`: the next one is offered and was not used
 * yet. Times are by Starbase's clock.
 */
export const AgentCredential = Schema.Struct({
  state: Schema.Literals(["none", "valid", "rotating"]),
  /** `null` for one that came by `RegisterCluster`. */
  sinceMs: Schema.NullOr(Schema.Int),
  /** An operator asked for a rotation that has not happened yet. */
  rotationAsked: Schema.Boolean,
  /** Until when the join token can be exchanged; `null` when there is none, or it was. */
  joinTokenUntilMs: Schema.NullOr(Schema.Int)
})
export type AgentCredential = typeof AgentCredential.Type

export const ClusterCapacity = Schema.Struct({
  /** Every pod of the cluster, as its agent counted them. */
  currentPodCount: Schema.Int,
  softLimit: Schema.Int,
  /** Since Starbase was told. */
  ageSeconds: Schema.Int
})

export const Cluster = Schema.Struct({
  id: ClusterId,
  name: Slug,
  region: Schema.String,
  revision: Revision,
  /**
   * `false` while the epoch of `revision` waits for `ConfirmEpoch`: the agent removes nothing meanwhile. A Starbase that
   * renews no epochs says nothing.
   */
  epochConfirmed: Schema.optionalKey(Schema.Boolean),
  apps: Schema.Int,
  tombstones: Schema.Int,
  /** Newest revision that the agent said it holds; `null` before its first report. */
  agentRevision: Schema.NullOr(Revision),
  /** `null` before the agent's first request since this entity was loaded. */
  agentSeenAtMs: Schema.NullOr(Schema.Int),
  /** `null` before the agent's first count. Said by `GetCluster` alone, and not by an older Starbase. */
  capacity: Schema.optionalKey(Schema.NullOr(ClusterCapacity)),
  /** What the agent said that it is, and where that stands; `null` before its first request since this entity was loaded. */
  agent: Schema.optionalKey(
    Schema.NullOr(Schema.Struct({ version: AgentVersion, format: Schema.Int, standing: AgentStanding }))
  ),
  credential: Schema.optionalKey(AgentCredential)
})
export type Cluster = typeof Cluster.Type

/**
 * With `agentTokenHash` the agent's credential is the caller's affair: it stays with the caller, Starbase gets its SHA-256
 * (64 hex digits), and another one replaces it at once. Without, the agent joins with a token (`IssueJoinToken`).
 */
const RegisterCluster = Rpc.make("RegisterCluster", {
  payload: {
    requestId: RequestId,
    clusterId: ClusterId,
    name: Slug,
    region: Schema.String,
    agentTokenHash: Schema.optionalKey(TokenHash)
  },
  success: Cluster,
  error: MutationError
})

/**
 * Lets an agent join once, within `joinTokenLifeMs`. The token (`sfj_<cluster id>_<secret>`) stays with the caller; Starbase gets
 * its SHA-256. Replaces a join token that was not used. An agent that joins replaces the one before it.
 */
const IssueJoinToken = Rpc.make("IssueJoinToken", {
  payload: { requestId: RequestId, clusterId: ClusterId, joinTokenHash: TokenHash },
  success: Cluster,
  error: MutationError
})

/** Asks the agent to rotate its credential at its next pull. `InvalidInput` when there is no credential. */
const RotateAgentCredential = Rpc.make("RotateAgentCredential", {
  payload: { requestId: RequestId, clusterId: ClusterId },
  success: Cluster,
  error: MutationError
})

/** Takes every credential and join token of the cluster back, at once: a parked pull ends. What runs there goes on running. */
const RevokeAgentCredential = Rpc.make("RevokeAgentCredential", {
  payload: { requestId: RequestId, clusterId: ClusterId },
  success: Cluster,
  error: MutationError
})

const GetCluster = Rpc.make("GetCluster", {
  payload: { clusterId: ClusterId },
  success: Cluster,
  error: ReadError
})

/** Lets the agent remove what the newest revision takes away, although it is more than an agent removes unasked. */
const ConfirmMassPrune = Rpc.make("ConfirmMassPrune", {
  payload: { requestId: RequestId, clusterId: ClusterId },
  success: Cluster,
  error: MutationError
})

/**
 * Says that the database was restored: gives the cluster a new, unconfirmed epoch, so that its agent takes the whole
 * document and removes nothing of it until `ConfirmEpoch`.
 */
const RenewEpoch = Rpc.make("RenewEpoch", {
  payload: { requestId: RequestId, clusterId: ClusterId },
  success: Cluster,
  error: MutationError
})

/** Lets the agent remove again what is tombstoned. `epoch` is that of the revision that was looked at; `InvalidInput` for another one. */
const ConfirmEpoch = Rpc.make("ConfirmEpoch", {
  payload: { requestId: RequestId, clusterId: ClusterId, epoch: Epoch },
  success: Cluster,
  error: MutationError
})

export const ClusterName = Schema.Struct({ id: ClusterId, name: Slug, region: Schema.String })
export type ClusterName = typeof ClusterName.Type

/** Every cluster for an operator; for a token, the clusters that its workspace's projects are on. */
const ListClusters = Rpc.make("ListClusters", { success: Schema.Array(ClusterName), error: ReadError })

export const EntityType = Schema.Literals(["App", "Cluster", "Tenant"])
export type EntityType = typeof EntityType.Type

/** `state` is an entity's state after the event `sequence`, as JSON. */
export const EntitySnapshot = Schema.Struct({ sequence: Schema.Int, state: Schema.Unknown })
export type EntitySnapshot = typeof EntitySnapshot.Type

/** Highest sequence that an event can have. */
export const sequenceMax = 2 ** 31 - 1

const sequenceFrom = (minimum: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum: sequenceMax }))

/**
 * State without anything sealed or hashed. `sequence` asks for the state after that event, `atMs` for the state before
 * the first event that is later; neither is now, and both are `InvalidInput`.
 */
const InspectEntity = Rpc.make("InspectEntity", {
  payload: {
    type: EntityType,
    id: Schema.String,
    sequence: Schema.NullOr(sequenceFrom(1)),
    /** Milliseconds since the epoch, by the clocks that the events were written by. */
    atMs: Schema.optionalKey(Schema.NullOr(Schema.Int))
  },
  success: EntitySnapshot,
  error: ReadError
})

export const JournalEntry = Schema.Struct({
  sequence: Schema.Int,
  event: Schema.Unknown,
  actor: Schema.String,
  requestId: Schema.String,
  atMs: Schema.Int
})
export type JournalEntry = typeof JournalEntry.Type

/** Largest page of a journal. */
export const journalPageMax = 500

/** Oldest first, after `afterSequence`, at most `limit` (1–`journalPageMax`); without anything sealed or hashed. */
const ReadJournal = Rpc.make("ReadJournal", {
  payload: {
    type: EntityType,
    id: Schema.String,
    afterSequence: sequenceFrom(0),
    limit: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: journalPageMax }))
  },
  success: Schema.Array(JournalEntry),
  error: ReadError
})

export class ClusterRpcs extends RpcGroup.make(
  RegisterCluster,
  IssueJoinToken,
  RotateAgentCredential,
  RevokeAgentCredential,
  GetCluster,
  ConfirmMassPrune,
  RenewEpoch,
  ConfirmEpoch,
  ListClusters,
  InspectEntity,
  ReadJournal
).middleware(Authentication) {}
