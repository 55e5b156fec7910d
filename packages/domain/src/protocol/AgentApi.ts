/**
 * The HTTP contract between Shuttle and Starbase. Outbound from the agent only; every request carries
 * `Authorization: Bearer sfc_<cluster id>_<secret>` of that very cluster.
 */
import * as Schema from "effect/Schema"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import { DesiredState } from "../desired/DesiredState.ts"
import { InvalidInput, NotFound, Overloaded, Unauthenticated, Unavailable } from "../errors/RequestErrors.ts"
import { ClusterId } from "../ids/Ids.ts"
import { CapacityReport } from "../observed/CapacityReport.ts"
import { StatusReport } from "../observed/ObservedApp.ts"
import { SnapshotBatch, SnapshotReceipt } from "../observed/PodSnapshot.ts"

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

const params = { cluster_id: ClusterId }

/**
 * The blocking query. Without `If-None-Match` the full document at once. With `If-None-Match: "<revision>"`:
 * at once when there is something newer (a delta where the base is still known, unless `Accept-Delta: no`),
 * else 304 after the wait that `Prefer: wait=<seconds>` asks for, or at once without it. The answer carries
 * `ETag: "<revision>"`. A 401 ends a wait at once when the credential is revoked.
 */
const desiredState = HttpApiEndpoint.get("desiredState", "/api/v1/clusters/:cluster_id/desired-state", {
  params,
  headers: {
    "if-none-match": Schema.optionalKey(Schema.String),
    prefer: Schema.optionalKey(Schema.String),
    "accept-delta": Schema.optionalKey(Schema.Literals(["yes", "no"]))
  },
  success: [DesiredState, HttpApiSchema.Empty(304)],
  error: [Unauthenticated, NotFound, InvalidInput, Overloaded, Unavailable]
})

/** Level-triggered and idempotent: the newest report of an app wins, judged by its ordinal. */
const status = HttpApiEndpoint.post("status", "/api/v1/clusters/:cluster_id/status", {
  params,
  payload: StatusReport,
  success: HttpApiSchema.NoContent,
  error: [Unauthenticated, NotFound, InvalidInput, Overloaded, Unavailable]
})

/**
 * That pods existed. Idempotent by `snapshot_id`: once it is answered, each is stored exactly once or refused for good;
 * until then the batch is sent again. `Overloaded` when the database does not keep up.
 */
const snapshots = HttpApiEndpoint.post("snapshots", "/api/v1/clusters/:cluster_id/snapshots", {
  params,
  payload: SnapshotBatch,
  success: SnapshotReceipt,
  error: [Unauthenticated, NotFound, InvalidInput, Overloaded, Unavailable]
})

/** The newest count wins; it is kept at most every 30 s. */
const capacity = HttpApiEndpoint.post("capacity", "/api/v1/clusters/:cluster_id/capacity", {
  params,
  payload: CapacityReport,
  success: HttpApiSchema.NoContent,
  error: [Unauthenticated, NotFound, InvalidInput, Overloaded, Unavailable]
})

export class AgentGroup extends HttpApiGroup.make("agent").add(desiredState, status, snapshots, capacity) {}

export class AgentApi extends HttpApi.make("starform-agent").add(AgentGroup) {}
