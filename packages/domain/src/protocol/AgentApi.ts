/**
 * The HTTP contract between Shuttle and Starbase. Outbound from the agent only; every request carries
 * `Authorization: Bearer sfc_<cluster id>_<secret>` of that very cluster, and says what the agent is (`VersionSkew`).
 * A release that is not served hears 426.
 */
import * as Schema from "effect/Schema"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import { DesiredState } from "../desired/DesiredState.ts"
import {
  AgentNotServed,
  InvalidInput,
  NotFound,
  Overloaded,
  Unauthenticated,
  Unavailable
} from "../errors/RequestErrors.ts"
import { TokenHash } from "../ids/Digest.ts"
import { ClusterId } from "../ids/Ids.ts"
import { CapacityReport } from "../observed/CapacityReport.ts"
import { StatusReport } from "../observed/ObservedApp.ts"
import { SnapshotBatch, SnapshotReceipt } from "../observed/PodSnapshot.ts"
import * as SnakeCase from "./SnakeCase.ts"
import { formatHeader, versionHeader } from "./VersionSkew.ts"

/** Longest wait that Starbase grants to `Prefer: wait=<seconds>`, and the rhythm of a plain pull. */
export const waitSecondsMax = 30

/** Largest full document, uncompressed. */
export const documentBytesMax = 8 * 1024 * 1024

/** Largest report. */
export const reportBytesMax = 4 * 1024 * 1024

/** Largest batch of snapshots: `snapshotsMax` of them are below it. */
export const snapshotBytesMax = 1024 * 1024

/** Largest report of capacity. */
export const capacityBytesMax = 4096

/** How long a join token may be exchanged after it was issued, and an offered credential taken into use. */
export const joinTokenLifeMs = 60 * 60 * 1000
export const offerLifeMs = 60 * 60 * 1000

/** Largest body of a request that names a credential. */
export const credentialBytesMax = 1024

/** On the answer to a pull: an operator asks the agent to rotate its credential. */
export const rotateHeader = "starform-rotate-credential"

/** SHA-256 of a credential that the agent made and keeps: the credential itself first travels when it is used. */
export const CredentialHash = SnakeCase.struct({ credentialHash: TokenHash })
export type CredentialHash = typeof CredentialHash.Type

const params = { cluster_id: ClusterId }

const agentHeaders = {
  [versionHeader]: Schema.optionalKey(Schema.String),
  [formatHeader]: Schema.optionalKey(Schema.String)
}

const error = [Unauthenticated, NotFound, InvalidInput, AgentNotServed, Overloaded, Unavailable] as const

/**
 * The blocking query. Without `If-None-Match` the full document at once. With `If-None-Match: "<revision>"`:
 * at once when there is something newer (a delta where the base is still known, unless `Accept-Delta: no`),
 * else 304 after the wait that `Prefer: wait=<seconds>` asks for, or at once without it. The answer carries
 * `ETag: "<revision>"`. A 401 ends a wait at once when the credential is revoked.
 */
const desiredState = HttpApiEndpoint.get("desiredState", "/api/v1/clusters/:cluster_id/desired-state", {
  params,
  headers: {
    ...agentHeaders,
    "if-none-match": Schema.optionalKey(Schema.String),
    prefer: Schema.optionalKey(Schema.String),
    "accept-delta": Schema.optionalKey(Schema.Literals(["yes", "no"]))
  },
  success: [DesiredState, HttpApiSchema.Empty(304)],
  error
})

/** Level-triggered and idempotent: the newest report of an app wins, judged by its ordinal. */
const status = HttpApiEndpoint.post("status", "/api/v1/clusters/:cluster_id/status", {
  params,
  headers: agentHeaders,
  payload: StatusReport,
  success: HttpApiSchema.NoContent,
  error
})

/**
/**
 * That pods existed. Idempotent by `snapshot_id`: once it is answered, each is stored exactly once or refused for good;
 * until then the batch is sent again. `Overloaded` when the database does not keep up.
 */
const snapshots = HttpApiEndpoint.post("snapshots", "/api/v1/clusters/:cluster_id/snapshots", {
  params,
  headers: agentHeaders,
  payload: SnapshotBatch,
  success: SnapshotReceipt,
  error
})

/** The newest count wins; it is kept at most every 30 s. */
const capacity = HttpApiEndpoint.post("capacity", "/api/v1/clusters/:cluster_id/capacity", {
  params,
  headers: agentHeaders,
  payload: CapacityReport,
  success: HttpApiSchema.NoContent,
  error
})

/**
 * Exchanges a join token (`Authorization: Bearer sfj_<cluster id>_<secret>`) for the credential whose hash is named: the only
 * request that a join token opens, once. The same hash again is answered alike, so an answer that was lost costs nothing.
 * Whatever is wrong with the token, the answer is the same 401.
 */
const join = HttpApiEndpoint.post("join", "/api/v1/clusters/:cluster_id/join", {
  params,
  headers: agentHeaders,
  payload: CredentialHash,
  success: HttpApiSchema.NoContent,
  error
})

/**
 * The agent's next credential. Both are taken from here on: the old one until the new one is used, the new one until it is
 * used or its time passes (`offerLifeMs`). Idempotent for the same hash; another one takes its place.
 */
const credential = HttpApiEndpoint.post("credential", "/api/v1/clusters/:cluster_id/credential", {
  params,
  headers: agentHeaders,
  payload: CredentialHash,
  success: HttpApiSchema.NoContent,
  error
})

export class AgentGroup extends HttpApiGroup.make("agent").add(
  desiredState,
  status,
  snapshots,
  capacity,
  join,
  credential
) {}

export class AgentApi extends HttpApi.make("starform-agent").add(AgentGroup) {}
