/** The agents' door: `domain/protocol/AgentApi` on plain routes, because a pull is answered from bytes and headers alone. Plain ones do not come here: `PlainPulls`. */
import { gzip } from "node:zlib"
import { DesiredState } from "@starform/domain/desired/DesiredState"
import { InvalidInput, Unauthenticated } from "@starform/domain/errors/RequestErrors"
import type { ClusterId } from "@starform/domain/ids/Ids"
import { Revision } from "@starform/domain/ids/Revision"
import { StatusReport } from "@starform/domain/observed/ObservedApp"
import { reportBytesMax, waitSecondsMax } from "@starform/domain/protocol/AgentApi"
import * as ByteSize from "effect/ByteSize"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { EntityClients } from "../entities/EntityClients.ts"
import { KnownOwners } from "../security/KnownOwners.ts"
import * as Token from "../security/Token.ts"
import { Vault } from "../security/Vault.ts"
import { render } from "./DesiredBody.ts"
import * as PullMetrics from "../metrics/PullMetrics.ts"
import { answerErrors } from "./ErrorAnswer.ts"
import { storable } from "./StorableText.ts"

/** Bodies below this many bytes are not compressed: it would cost more than it saves. */
const compressFromBytes = 2048

const decodeRevision = Schema.decodeUnknownOption(Revision)
const encodeDocument = Schema.encodeEffect(Schema.fromJsonString(DesiredState))
const decodeReport = Schema.decodeUnknownEffect(Schema.fromJsonString(StatusReport))

const bearer = /^Bearer (\S{1,256})$/

interface AgentClaim {
  readonly clusterId: ClusterId
  readonly agentTokenHash: string
}

/** `401` unless the token is an agent's and names the cluster in the path. Nothing is proved yet. */
const claimOf = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest
): Effect.fn.Return<AgentClaim, Unauthenticated, HttpRouter.RouteContext> {
  const params = yield* HttpRouter.params
  const text = bearer.exec(request.headers["authorization"] ?? "")?.[1]
  const claim = text === undefined ? Option.none() : Token.parse(Redacted.make(text))
  if (Option.isNone(claim) || claim.value._tag !== "Agent") return yield* new Unauthenticated({})
  const { clusterId, hash } = claim.value
  if (clusterId !== params["cluster_id"]) return yield* new Unauthenticated({})
  return { clusterId, agentTokenHash: hash }
})

/** INV-SEC-5: who claims a cluster that does not exist wakes no entity. The entity itself compares the token's hash. */
const checkExists = Effect.fnUntraced(function* ({ clusterId }: AgentClaim) {
  const owners = yield* KnownOwners
  if (!(yield* owners.hasCluster(clusterId))) return yield* new Unauthenticated({})
})

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

const headersOf = (revision: Revision) => ({ etag: `"${revision}"`, "cache-control": "no-store" })

const notModified = (revision: Revision) =>
  HttpServerResponse.empty({ status: 304, headers: headersOf(revision) })

const desiredState = (request: HttpServerRequest.HttpServerRequest) =>
  Effect.gen(function* () {
    const claim = yield* claimOf(request)
    const { clusterId, agentTokenHash } = claim
    const seconds = waitSeconds(request.headers["prefer"])
    const known = knownRevision(request.headers["if-none-match"])
    yield* checkExists(claim)
    const entities = yield* EntityClients
    const vault = yield* Vault
    const answer = yield* entities
      .cluster(
        clusterId,
        (cluster) =>
          cluster.AwaitDesired({
            agentTokenHash,
            known: Option.getOrNull(known),
            waitMs: Option.isNone(known) ? 0 : seconds * 1000,
            allowDelta: request.headers["accept-delta"] !== "no"
          }),
        Duration.seconds(seconds)
      )
      .pipe(PullMetrics.parked(Option.isSome(known) && seconds > 0))
    yield* PullMetrics.answered(answer._tag)
    if (answer._tag === "Unchanged") return notModified(answer.revision)
    const headers = headersOf(answer.revision)
    const document = yield* render(vault, clusterId, answer)
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

const status = (request: HttpServerRequest.HttpServerRequest) =>
  Effect.gen(function* () {
    const entities = yield* EntityClients
    const claim = yield* claimOf(request)
    yield* checkExists(claim)
    const { clusterId, agentTokenHash } = claim
    const text = yield* request.text.pipe(
      Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.fromInputUnsafe(reportBytesMax)),
      Effect.mapError(
        () => new InvalidInput({ field: "body", problem: `could not be read within ${reportBytesMax} bytes` })
      )
    )
    const report = yield* decodeReport(text).pipe(
      Effect.mapError((error) => new InvalidInput({ field: "body", problem: error.message.slice(0, 1000) }))
    )
    yield* entities.cluster(clusterId, (cluster) => cluster.Report({ agentTokenHash, report: kept(report) }))
    return HttpServerResponse.empty({ status: 204 })
  })

export const layerRoutes = Layer.mergeAll(
  HttpRouter.add("GET", "/api/v1/clusters/:cluster_id/desired-state", (request) =>
    answerErrors("agent request", desiredState(request).pipe(PullMetrics.refused))
  ),
  HttpRouter.add("POST", "/api/v1/clusters/:cluster_id/status", (request) =>
    answerErrors("agent request", status(request).pipe(PullMetrics.reported))
  )
)
