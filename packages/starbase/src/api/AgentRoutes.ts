/**
 * The agents' door: `domain/protocol/AgentApi` on plain routes, because a pull is answered from bytes and headers alone. The most
 * frequent pull does not come here: `PlainPulls`.
 */
import { gzip } from "node:zlib"
import { DesiredState } from "@starform/domain/desired/DesiredState"
import { InvalidInput } from "@starform/domain/errors/RequestErrors"
import { Revision } from "@starform/domain/ids/Revision"
import { CapacityReport } from "@starform/domain/observed/CapacityReport"
import { SnapshotBatch, SnapshotReceipt } from "@starform/domain/observed/PodSnapshot"
import { StatusReport } from "@starform/domain/observed/ObservedApp"
import {
  capacityBytesMax,
  reportBytesMax,
  rotateHeader,
  snapshotBytesMax,
  waitSecondsMax
} from "@starform/domain/protocol/AgentApi"
import { formatFor } from "@starform/domain/protocol/VersionSkew"
import * as ByteSize from "effect/ByteSize"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { EntityClients } from "../entities/EntityClients.ts"
import { Vault } from "../security/Vault.ts"
import { type AgentClaim, claimOf, standing } from "./AgentClaim.ts"
import * as CredentialRoutes from "./CredentialRoutes.ts"
import { render } from "./DesiredBody.ts"
import * as PullMetrics from "../metrics/PullMetrics.ts"
import * as UsageMetrics from "../metrics/UsageMetrics.ts"
import { UsageStore } from "../usage/UsageStore.ts"
import { answerErrors } from "./ErrorAnswer.ts"
import { storable } from "./StorableText.ts"

/** Bodies below this many bytes are not compressed: it would cost more than it saves. */
const compressFromBytes = 2048

const decodeRevision = Schema.decodeUnknownOption(Revision)
const encodeDocument = Schema.encodeEffect(Schema.fromJsonString(DesiredState))
const encodeReceipt = Schema.encodeEffect(Schema.fromJsonString(SnapshotReceipt))

/** Seconds of `Prefer: wait=<n>`, 0 to `waitSecondsMax`; 0 without it. */
const waitSeconds = (prefer: string | undefined): number => {
  const asked = /(?:^|[\s,;])wait=(\d{1,4})(?:$|[\s,;])/.exec(prefer ?? "")?.[1]
  return asked === undefined ? 0 : Math.min(Number(asked), waitSecondsMax)
}

const knownRevision = (header: string | undefined): Option.Option<Revision> =>
  decodeRevision(/^(?:W\/)?"([^"]+)"$/.exec(header ?? "")?.[1])

const compress = (body: Buffer) =>
  Effect.callback<Buffer>((resume) => {
    gzip(body, { level: 1 }, (error, compressed) =>
      resume(error === null ? Effect.succeed(compressed) : Effect.succeed(body))
    )
  })

const headersOf = (claim: AgentClaim, answer: { readonly revision: Revision; readonly rotate?: true }) => ({
  etag: `"${answer.revision}"`,
  "cache-control": "no-store",
  ...standing(claim),
  ...(answer.rotate === true ? { [rotateHeader]: "asked" } : {})
})

const desiredState = (request: HttpServerRequest.HttpServerRequest) =>
  Effect.gen(function* () {
    const claim = yield* claimOf(request)
    const { clusterId, tokenHash: agentTokenHash, agent } = claim
    const seconds = waitSeconds(request.headers["prefer"])
    const known = knownRevision(request.headers["if-none-match"])
    const entities = yield* EntityClients
    const vault = yield* Vault
    const answer = yield* entities
      .cluster(
        clusterId,
        (cluster) =>
          cluster.AwaitDesired({
            agentTokenHash,
            agent,
            known: Option.getOrNull(known),
            waitMs: Option.isNone(known) ? 0 : seconds * 1000,
            allowDelta: request.headers["accept-delta"] !== "no"
          }),
        Duration.seconds(seconds)
      )
      .pipe(PullMetrics.parked(Option.isSome(known) && seconds > 0))
    yield* PullMetrics.answered(answer._tag)
    const headers = headersOf(claim, answer)
    if (answer._tag === "Unchanged") return HttpServerResponse.empty({ status: 304, headers })
    const document = yield* render(vault, clusterId, answer, formatFor(agent))
    const body = Buffer.from(yield* encodeDocument(document))
    const contentType = "application/json"
    const wantsGzip = (request.headers["accept-encoding"] ?? "").includes("gzip")
    if (!wantsGzip || body.length < compressFromBytes) {
      return HttpServerResponse.uint8Array(body, { headers, contentType })
    }
    return HttpServerResponse.uint8Array(yield* compress(body), {
      headers: { ...headers, "content-encoding": "gzip" },
      contentType
    })
  })

/** Apps print what they like: no byte of theirs keeps a report from being taken. */
const kept = (report: StatusReport): StatusReport => ({
  ...report,
  apps: report.apps.map((app) => ({
    ...app,
    output: app.output.map(storable),
    reason: app.reason && { code: storable(app.reason.code), message: storable(app.reason.message) }
  }))
})

/** @param bytesMax a longer body is not read to its end */
const bodyOf = <A, I>(schema: Schema.Codec<A, I>, bytesMax: number) => {
  const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(schema))
  return (request: HttpServerRequest.HttpServerRequest) =>
    request.text.pipe(
      Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.fromInputUnsafe(bytesMax)),
      Effect.mapError(
        () => new InvalidInput({ field: "body", problem: `could not be read within ${bytesMax} bytes` })
      ),
      Effect.flatMap((text) =>
        Effect.mapError(
          decode(text),
          (error) => new InvalidInput({ field: "body", problem: error.message.slice(0, 1000) })
        )
      )
    )
}

const reportOf = bodyOf(StatusReport, reportBytesMax)
const batchOf = bodyOf(SnapshotBatch, snapshotBytesMax)
const capacityOf = bodyOf(CapacityReport, capacityBytesMax)

const status = (request: HttpServerRequest.HttpServerRequest) =>
  Effect.gen(function* () {
    const entities = yield* EntityClients
    const claim = yield* claimOf(request)
    const { clusterId, tokenHash: agentTokenHash, agent } = claim
    const report = yield* reportOf(request)
    yield* entities.cluster(clusterId, (cluster) =>
      cluster.Report({ agentTokenHash, agent, report: kept(report) })
    )
    return HttpServerResponse.empty({ status: 204, headers: standing(claim) })
  })

/** Whose agent asks; the entity of that cluster has said that it is. */
const identified = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const entities = yield* EntityClients
  const claim = yield* claimOf(request)
  const { clusterId, tokenHash: agentTokenHash, agent } = claim
  yield* entities.cluster(clusterId, (cluster) => cluster.IdentifyAgent({ agentTokenHash, agent }))
  return claim
})

const snapshots = (request: HttpServerRequest.HttpServerRequest) =>
  Effect.gen(function* () {
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

const capacity = (request: HttpServerRequest.HttpServerRequest) =>
  Effect.gen(function* () {
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
  CredentialRoutes.layerRoutes,
  HttpRouter.add("GET", "/api/v1/clusters/:cluster_id/desired-state", (request) =>
    answerErrors("agent request", desiredState(request).pipe(PullMetrics.refused))
  ),
  HttpRouter.add("POST", "/api/v1/clusters/:cluster_id/status", (request) =>
    answerErrors("agent request", status(request).pipe(PullMetrics.reported))
  ),
  HttpRouter.add("POST", "/api/v1/clusters/:cluster_id/snapshots", (request) =>
    answerErrors("agent request", snapshots(request).pipe(UsageMetrics.batchTaken))
  ),
  HttpRouter.add("POST", "/api/v1/clusters/:cluster_id/capacity", (request) =>
    answerErrors("agent request", capacity(request).pipe(UsageMetrics.capacityTaken))
  )
)
