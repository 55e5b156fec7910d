/** How an agent gets its credential and its next one. Only hashes come here: what they are of first travels when it is used. */
import { InvalidInput } from "@starform/domain/errors/RequestErrors"
import { credentialBytesMax, CredentialHash } from "@starform/domain/protocol/AgentApi"
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { EntityClients } from "../entities/EntityClients.ts"
import { type AgentClaim, claimOf, standing } from "./AgentClaim.ts"
import { answerErrors } from "./ErrorAnswer.ts"

const decodeHash = Schema.decodeUnknownEffect(Schema.fromJsonString(CredentialHash))

const invalid = new InvalidInput({
  field: "body",
  problem: "must be JSON with credential_hash, 64 hex digits: the SHA-256 of the credential"
})

/** Says nothing of what came: whoever sent the credential itself must not find it in a log. */
const hashOf = (request: HttpServerRequest.HttpServerRequest) =>
  request.text.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.fromInputUnsafe(credentialBytesMax)),
    Effect.flatMap(decodeHash),
    Effect.mapError(() => invalid),
    Effect.map(({ credentialHash }) => credentialHash)
  )

const done = (claim: AgentClaim) => HttpServerResponse.empty({ status: 204, headers: standing(claim) })

const join = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const claim = yield* claimOf(request, "Join")
  const { clusterId, tokenHash: joinTokenHash, agent } = claim
  const credentialHash = yield* hashOf(request)
  const entities = yield* EntityClients
  yield* entities.cluster(clusterId, (cluster) => cluster.Join({ joinTokenHash, credentialHash, agent }))
  return done(claim)
})

const credential = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const claim = yield* claimOf(request)
  const { clusterId, tokenHash: agentTokenHash, agent } = claim
  const credentialHash = yield* hashOf(request)
  const entities = yield* EntityClients
  yield* entities.cluster(clusterId, (cluster) =>
    cluster.OfferCredential({ agentTokenHash, credentialHash, agent })
  )
  return done(claim)
})

export const layerRoutes = Layer.mergeAll(
  HttpRouter.add("POST", "/api/v1/clusters/:cluster_id/join", (request) =>
    answerErrors("agent request", join(request))
  ),
  HttpRouter.add("POST", "/api/v1/clusters/:cluster_id/credential", (request) =>
    answerErrors("agent request", credential(request))
  )
)
