/** What an agent counts of its cluster's pods. Only that the cluster's agent says it is a matter of the Cluster entity. */
import { InvalidInput } from "@starform/domain/errors/RequestErrors"
import { CapacityReport } from "@starform/domain/observed/CapacityReport"
import { SnapshotBatch, SnapshotReceipt } from "@starform/domain/observed/PodSnapshot"
import { capacityBytesMax, snapshotBytesMax } from "@starform/domain/protocol/AgentApi"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { EntityClients } from "../entities/EntityClients.ts"
import * as UsageMetrics from "../metrics/UsageMetrics.ts"
import { UsageStore } from "../usage/UsageStore.ts"
import { bodyOf } from "./AgentBody.ts"
import { claimOf, standing } from "./AgentClaim.ts"
import { answerErrors } from "./ErrorAnswer.ts"

const encodeReceipt = Schema.encodeEffect(Schema.fromJsonString(SnapshotReceipt))
const batchOf = bodyOf(SnapshotBatch, snapshotBytesMax)
const capacityOf = bodyOf(CapacityReport, capacityBytesMax)

/** Whose agent asks; the entity of that cluster has said that it is. */
const identified = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const entities = yield* EntityClients
  const claim = yield* claimOf(request)
  const { clusterId, tokenHash: agentTokenHash, agent } = claim
  yield* entities.cluster(clusterId, (cluster) => cluster.IdentifyAgent({ agentTokenHash, agent }))
  return claim
})

const snapshots = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const usage = yield* UsageStore
  const claim = yield* identified(request)
  const { clusterId } = claim
  const batch = yield* batchOf(request)
  const receipt = yield* usage.storeSnapshots(clusterId, batch.snapshots)
  yield* UsageMetrics.received(receipt)
  if (receipt.refused > 0) {
    yield* Effect.logWarning("Snapshots refused: not of this cluster's apps, too old, or with a false id", {
      clusterId,
      refused: receipt.refused
    })
  }
  return HttpServerResponse.text(yield* encodeReceipt(receipt), {
    headers: standing(claim),
    contentType: "application/json"
  })
})

const capacity = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const usage = yield* UsageStore
  const claim = yield* identified(request)
  const report = yield* capacityOf(request)
  if (report.clusterId !== claim.clusterId) {
    return yield* new InvalidInput({ field: "cluster_id", problem: "is not the cluster of the path" })
  }
  yield* usage.putCapacity(report)
  return HttpServerResponse.empty({ status: 204, headers: standing(claim) })
})

export const layerRoutes = Layer.mergeAll(
  HttpRouter.add("POST", "/api/v1/clusters/:cluster_id/snapshots", (request) =>
    answerErrors("agent request", snapshots(request).pipe(UsageMetrics.batchTaken))
  ),
  HttpRouter.add("POST", "/api/v1/clusters/:cluster_id/capacity", (request) =>
    answerErrors("agent request", capacity(request).pipe(UsageMetrics.capacityTaken))
  )
)
