/** The operators' desk over HTTP, under `/operator/…`. README beside this file has the routes and the theory. */
import { InvalidInput, NotFound } from "@starform/domain/errors/RequestErrors"
import { AppId } from "@starform/domain/ids/AppId"
import { DeployId, RequestId } from "@starform/domain/ids/Ids"
import { type EntityType, journalPageMax, sequenceMax } from "@starform/domain/protocol/ClusterRpcs"
import { operatorPageMax } from "@starform/domain/protocol/OperatorRpcs"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { answerErrors } from "../ErrorAnswer.ts"
import * as ClusterRoutes from "./ClusterRoutes.ts"
import { momentOf, timeOf } from "./Moments.ts"
import { OperatorDesk } from "./OperatorDesk.ts"
import { json, operator } from "./OperatorRequest.ts"

/** Entries of a page when nobody says how many. */
const pageDefault = 100

const decodeNumber = Schema.decodeUnknownEffect(Schema.FiniteFromString.check(Schema.isInt()))

const queryText = (field: string) =>
  Effect.map(HttpServerRequest.ParsedSearchParams, (query) => Option.fromNullishOr(query[field]))

/** A query parameter as a whole number in a range, or `None` without it. */
const numberIn = Effect.fnUntraced(function* (field: string, minimum: number, maximum: number) {
  const text = yield* queryText(field)
  if (Option.isNone(text)) return Option.none<number>()
  const problem = `must be one whole number from ${minimum} to ${maximum}`
  const value = yield* decodeNumber(text.value).pipe(
    Effect.mapError(() => new InvalidInput({ field, problem }))
  )
  if (value < minimum || value > maximum) return yield* new InvalidInput({ field, problem })
  return Option.some(value)
})

const limitUpTo = (maximum: number) =>
  Effect.map(numberIn("limit", 1, maximum), (limit) => Option.getOrElse(limit, () => pageDefault))

const before = Effect.map(numberIn("before", 1, Number.MAX_SAFE_INTEGER), Option.getOrNull)

const time = Effect.gen(function* () {
  const text = yield* queryText("at")
  if (Option.isNone(text)) return null
  const at = typeof text.value === "string" ? timeOf(text.value) : Option.none()
  if (Option.isSome(at)) return at.value
  const problem = "must be milliseconds since the epoch, or ISO 8601 with a zone"
  return yield* new InvalidInput({ field: "at", problem })
})

/** A page with the `before` of the next one, or `null` when this is the last. */
const paged = (name: string, entries: ReadonlyArray<{ readonly id: number }>, limit: number) =>
  json({ [name]: entries, next: entries.length === limit ? (entries.at(-1)?.id ?? null) : null })

const param = (name: string) => Effect.map(HttpRouter.params, (params) => params[name] ?? "")

interface EntityPath {
  readonly type: EntityType
  readonly path: `/${string}`
  /** Names of the parameters of `path` that make the entity's id, in order, joined by slashes. */
  readonly id: ReadonlyArray<string>
}

const app: EntityPath = {
  type: "App",
  path: "/app/:project/:environment/:service",
  id: ["project", "environment", "service"]
}
const cluster: EntityPath = { type: "Cluster", path: "/cluster/:cluster", id: ["cluster"] }
const tenant: EntityPath = { type: "Tenant", path: "/tenant/:workspace", id: ["workspace"] }

const idOf = (entity: EntityPath) =>
  Effect.map(HttpRouter.params, (params) => entity.id.map((name) => params[name] ?? "").join("/"))

/** Who asks, and for which entity. */
const asked = Effect.fnUntraced(function* (entity: EntityPath) {
  const id = yield* idOf(entity)
  return { by: yield* operator(entity.type, id), id, type: entity.type }
})

const state = Effect.fnUntraced(function* (entity: EntityPath) {
  const { by, type, id } = yield* asked(entity)
  const desk = yield* OperatorDesk
  const sequence = Option.getOrNull(yield* numberIn("sequence", 1, sequenceMax))
  const snapshot = yield* desk.state(by, type, id, yield* momentOf(sequence, yield* time))
  return json({ type, id, ...snapshot })
})

const journal = Effect.fnUntraced(function* (entity: EntityPath) {
  const { by, type, id } = yield* asked(entity)
  const desk = yield* OperatorDesk
  const after = Option.getOrElse(yield* numberIn("after", 0, sequenceMax), () => 0)
  const limit = yield* limitUpTo(journalPageMax)
  const events = yield* desk.journal(by, type, id, after, limit)
  const next = events.length === limit ? events.at(-1)?.sequence : undefined
  return json({ type, id, events, next: next ?? null })
})

const activity = Effect.fnUntraced(function* (entity: EntityPath) {
  const { by, type, id } = yield* asked(entity)
  return json(yield* (yield* OperatorDesk).activity(by, type, id))
})

const passivate = Effect.fnUntraced(function* (entity: EntityPath) {
  const { by, type, id } = yield* asked(entity)
  return json(yield* (yield* OperatorDesk).passivate(by, type, id))
})

const runners = Effect.gen(function* () {
  const by = yield* operator("runner", "")
  return json({ runners: yield* (yield* OperatorDesk).runners(by) })
})

const moves = Effect.gen(function* () {
  const by = yield* operator("runner", "")
  const limit = yield* limitUpTo(operatorPageMax)
  return paged("moves", yield* (yield* OperatorDesk).moves(by, yield* before, limit), limit)
})

const drain = Effect.fnUntraced(function* (drained: boolean) {
  const address = yield* param("address")
  const by = yield* operator("runner", address)
  return json(yield* (yield* OperatorDesk).drain(by, address, drained))
})

const deploys = Effect.gen(function* () {
  const by = yield* operator("deploy", "")
  return json({ deploys: yield* (yield* OperatorDesk).deploys(by) })
})

const decodeDeployId = Schema.decodeUnknownOption(DeployId)

/** Who asks, and for which deploy; what is no id of a deploy never was one. */
const askedDeploy = Effect.gen(function* () {
  const name = yield* param("deploy")
  const by = yield* operator("deploy", name)
  const deployId = decodeDeployId(name)
  if (Option.isNone(deployId)) return yield* new NotFound({ kind: "deploy", name })
  return { by, deployId: deployId.value }
})

const retry = Effect.gen(function* () {
  const { by, deployId } = yield* askedDeploy
  return json(yield* (yield* OperatorDesk).retry(by, deployId))
})

const cancel = Effect.gen(function* () {
  const { by, deployId } = yield* askedDeploy
  const requestId = RequestId.make(`operator:${SecureRandom.uuidV4Unsafe()}`)
  return json(yield* (yield* OperatorDesk).cancel(by, deployId, requestId))
})

const outbox = Effect.gen(function* () {
  const by = yield* operator("outbox", "")
  const limit = yield* limitUpTo(operatorPageMax)
  return json({ backlog: yield* (yield* OperatorDesk).outbox(by, limit) })
})

const decodeAppId = Schema.decodeUnknownOption(AppId)

const why = Effect.gen(function* () {
  const name = yield* idOf(app)
  const by = yield* operator("App", name)
  const appId = decodeAppId(name)
  if (Option.isNone(appId)) return yield* new NotFound({ kind: "App", name })
  return json(yield* (yield* OperatorDesk).why(by, appId.value))
})

const audit = Effect.gen(function* () {
  const by = yield* operator("audit", "")
  const limit = yield* limitUpTo(operatorPageMax)
  return paged("audit", yield* (yield* OperatorDesk).audit(by, yield* before, limit), limit)
})

type Handled = Parameters<typeof answerErrors>[1]

const routesOf = (desk: OperatorDesk["Service"]) => {
  const route = <R>(
    method: "GET" | "POST",
    path: `/${string}`,
    handled: Effect.Effect<HttpServerResponse.HttpServerResponse, Effect.Error<Handled>, R>
  ) =>
    HttpRouter.add(
      method,
      `/operator${path}`,
      answerErrors("operator request", Effect.provideService(handled, OperatorDesk, desk))
    )

  const entityRoutes = (entity: EntityPath) => {
    const at = `/entities${entity.path}` as const
    return Layer.mergeAll(
      route("GET", at, state(entity)),
      route("GET", `${at}/journal`, journal(entity)),
      route("GET", `${at}/activity`, activity(entity)),
      route("POST", `${at}/passivate`, passivate(entity))
    )
  }

  return Layer.mergeAll(
    entityRoutes(app),
    entityRoutes(cluster),
    entityRoutes(tenant),
    route("GET", "/runners", runners),
    route("GET", "/runners/moves", moves),
    route("POST", "/runners/:address/drain", drain(true)),
    route("POST", "/runners/:address/undrain", drain(false)),
    route("GET", "/deploys", deploys),
    route("POST", "/deploys/:deploy/retry", retry),
    route("POST", "/deploys/:deploy/cancel", cancel),
    route("GET", "/outbox", outbox),
    route("GET", "/apps/:project/:environment/:service/why", why),
    route("GET", "/clusters/:cluster", ClusterRoutes.cluster),
    route("POST", "/clusters/:cluster/join-token", ClusterRoutes.joinToken),
    route("POST", "/clusters/:cluster/credential/rotate", ClusterRoutes.rotate),
    route("POST", "/clusters/:cluster/credential/revoke", ClusterRoutes.revoke),
    route("GET", "/audit", audit)
  )
}

/** Needs who may look (`Authenticator`) and the desk. */
export const layerRoutes = Layer.unwrap(Effect.map(OperatorDesk, routesOf))
