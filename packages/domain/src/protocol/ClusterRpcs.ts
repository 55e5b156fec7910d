/** Public RPCs on clusters and on the inside of entities: operators only. */
import * as Schema from "effect/Schema"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import { TokenHash } from "../ids/Digest.ts"
import { ClusterId, RequestId } from "../ids/Ids.ts"
import { Revision } from "../ids/Revision.ts"
import { Slug } from "../ids/Slug.ts"
import { Authentication } from "./Authentication.ts"
import { MutationError, ReadError } from "./TenantRpcs.ts"

export const Cluster = Schema.Struct({
  id: ClusterId,
  name: Slug,
  region: Schema.String,
  revision: Revision,
  apps: Schema.Int,
  tombstones: Schema.Int,
  /** Newest revision that the agent said it holds; `null` before its first report. */
  agentRevision: Schema.NullOr(Revision),
  /** `null` before the agent's first request since this entity was loaded. */
  agentSeenAtMs: Schema.NullOr(Schema.Int)
})
export type Cluster = typeof Cluster.Type

/** The agent's token stays with the caller; Starbase gets its SHA-256 (64 hex digits). */
const RegisterCluster = Rpc.make("RegisterCluster", {
  payload: {
    requestId: RequestId,
    clusterId: ClusterId,
    name: Slug,
    region: Schema.String,
    agentTokenHash: TokenHash
  },
  success: Cluster,
  error: MutationError
})

const GetCluster = Rpc.make("GetCluster", {
  payload: { clusterId: ClusterId },
  success: Cluster,
  error: ReadError
})

export const EntityType = Schema.Literals(["App", "Cluster", "Tenant"])
export type EntityType = typeof EntityType.Type

/** State as stored, secrets as ciphertext. `sequence` asks for the state after that event; `null` is now. */
const InspectEntity = Rpc.make("InspectEntity", {
  payload: { type: EntityType, id: Schema.String, sequence: Schema.NullOr(Schema.Int) },
  success: Schema.Struct({ sequence: Schema.Int, state: Schema.Unknown }),
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

/** Oldest first, after `afterSequence`, at most `limit` (1–500). */
const ReadJournal = Rpc.make("ReadJournal", {
  payload: { type: EntityType, id: Schema.String, afterSequence: Schema.Int, limit: Schema.Int },
  success: Schema.Array(JournalEntry),
  error: ReadError
})

export class ClusterRpcs extends RpcGroup.make(
  RegisterCluster,
  GetCluster,
  InspectEntity,
  ReadJournal
).middleware(Authentication) {}
