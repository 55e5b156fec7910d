/**
 * The agents' door: `domain/protocol/AgentApi` on plain routes, because a pull is answered from bytes and headers alone. The most
 * frequent pull does not come here: `PlainPulls`.
 */
import { gzip } from "node:zlib"
import { DesiredState } from "@starform/domain/desired/DesiredState"
import { Revision } from "@starform/domain/ids/Revision"
import { StatusReport } from "@starform/domain/observed/ObservedApp"
import { reportBytesMax, rotateHeader, waitSecondsMax } from "@starform/domain/protocol/AgentApi"
import { formatFor } from "@starform/domain/protocol/VersionSkew"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { EntityClients } from "../entities/EntityClients.ts"
import { Vault } from "../security/Vault.ts"
import { bodyOf } from "./AgentBody.ts"
import { type AgentClaim, claimOf, standing } from "./AgentClaim.ts"
import * as CredentialRoutes from "./CredentialRoutes.ts"
import { render } from "./DesiredBody.ts"
import * as PullMetrics from "../metrics/PullMetrics.ts"
import { answerErrors } from "./ErrorAnswer.ts"
import { storable } from "./StorableText.ts"

/** Bodies below this many bytes are not compressed: it would cost more than it saves. */
const compressFromBytes = 2048

const decodeRevision = Schema.decodeUnknownOption(Revision)
const encodeDocument = Schema.encodeEffect(Schema.fromJsonString(DesiredState))

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

const reportOf = bodyOf(StatusReport, reportBytesMax)

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

export const layerRoutes = Layer.mergeAll(
  CredentialRoutes.layerRoutes,
  HttpRouter.add("GET", "/api/v1/clusters/:cluster_id/desired-state", (request) =>
    answerErrors("agent request", desiredState(request).pipe(PullMetrics.refused))
  ),
  HttpRouter.add("POST", "/api/v1/clusters/:cluster_id/status", (request) =>
    answerErrors("agent request", status(request).pipe(PullMetrics.reported))
  )
)
