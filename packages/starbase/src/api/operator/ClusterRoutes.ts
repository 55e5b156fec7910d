/** The handlers of `/operator/clusters/…`: one cluster, and the credential of its agent. */
import { NotFound } from "@starform/domain/errors/RequestErrors"
import { ClusterId, RequestId } from "@starform/domain/ids/Ids"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Token from "../../security/Token.ts"
import { json, operator } from "./OperatorRequest.ts"
import { OperatorDesk } from "./OperatorDesk.ts"

const decodeClusterId = Schema.decodeUnknownOption(ClusterId)

/** Who asks, and for which cluster; what is no id of a cluster never was one. */
const asked = Effect.gen(function* () {
  const name = (yield* HttpRouter.params)["cluster"] ?? ""
  const by = yield* operator("cluster", name)
  const clusterId = decodeClusterId(name)
  if (Option.isNone(clusterId)) return yield* new NotFound({ kind: "cluster", name })
  const requestId = RequestId.make(`operator:${SecureRandom.uuidV4Unsafe()}`)
  return { by, clusterId: clusterId.value, requestId }
})

export const cluster = Effect.gen(function* () {
  const { by, clusterId } = yield* asked
  return json(yield* (yield* OperatorDesk).cluster(by, clusterId))
})

/** The token is made here and shown in this answer only: what is kept of it is its hash. */
export const joinToken = Effect.gen(function* () {
  const { by, clusterId, requestId } = yield* asked
  const token = Token.newJoinToken(clusterId)
  const desk = yield* OperatorDesk
  const shown = yield* desk.issueJoinToken(by, clusterId, requestId, Token.hash(token))
  return json({ joinToken: Redacted.value(token), untilMs: shown.credential?.joinTokenUntilMs ?? null })
})

export const rotate = Effect.gen(function* () {
  const { by, clusterId, requestId } = yield* asked
  return json(yield* (yield* OperatorDesk).rotateCredential(by, clusterId, requestId))
})

export const revoke = Effect.gen(function* () {
  const { by, clusterId, requestId } = yield* asked
  return json(yield* (yield* OperatorDesk).revokeCredential(by, clusterId, requestId))
})
