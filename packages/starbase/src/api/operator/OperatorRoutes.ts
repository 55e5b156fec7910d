/** The operators' window into entities: `GET /operator/entities/…`, read-only. README beside this file has the theory. */
import { InvalidInput, NotFound, Unauthenticated } from "@starform/domain/errors/RequestErrors"
import { type EntityType, journalPageMax, sequenceMax } from "@starform/domain/protocol/ClusterRpcs"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { inspect, readJournal } from "../../entities/EntityModels.ts"
import { Authenticator } from "../../security/Authenticator.ts"
import * as BearerToken from "../BearerToken.ts"
import { answerErrors } from "../ErrorAnswer.ts"

/** Events of a journal's page when nobody says how many. */
const journalPageDefault = 100

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

const decodeNumber = Schema.decodeUnknownEffect(Schema.FiniteFromString.check(Schema.isInt()))

/** A query parameter as a whole number in a range, or `None` without it. */
const numberIn = Effect.fnUntraced(function* (field: string, minimum: number, maximum: number) {
  const query = yield* HttpServerRequest.ParsedSearchParams
  const text = query[field]
  if (text === undefined) return Option.none<number>()
  const problem = `must be one whole number from ${minimum} to ${maximum}`
  const value = yield* decodeNumber(text).pipe(Effect.mapError(() => new InvalidInput({ field, problem })))
  if (value < minimum || value > maximum) return yield* new InvalidInput({ field, problem })
  return Option.some(value)
})

/** INV-OPR-1: whoever is known but no operator is answered as if there were nothing here. */
const entityId = Effect.fnUntraced(function* (
  entity: EntityPath,
  request: HttpServerRequest.HttpServerRequest
) {
  const authenticator = yield* Authenticator
  const token = BearerToken.fromHeaders(request.headers)
  if (Option.isNone(token)) return yield* new Unauthenticated({})
  const principal = yield* authenticator.authenticate(token.value)
  const params = yield* HttpRouter.params
  const id = entity.id.map((name) => params[name] ?? "").join("/")
  if (principal._tag !== "Operator") return yield* new NotFound({ kind: entity.type, name: id })
  return id
})

const headers = { "cache-control": "no-store" }

const state = Effect.fnUntraced(function* (entity: EntityPath, request: HttpServerRequest.HttpServerRequest) {
  const id = yield* entityId(entity, request)
  const sequence = yield* numberIn("sequence", 1, sequenceMax)
  const snapshot = yield* inspect(entity.type, id, Option.getOrNull(sequence))
  return HttpServerResponse.jsonUnsafe({ type: entity.type, id, ...snapshot }, { headers })
})

const journal = Effect.fnUntraced(function* (
  entity: EntityPath,
  request: HttpServerRequest.HttpServerRequest
) {
  const id = yield* entityId(entity, request)
  const after = Option.getOrElse(yield* numberIn("after", 0, sequenceMax), () => 0)
  const limit = Option.getOrElse(yield* numberIn("limit", 1, journalPageMax), () => journalPageDefault)
  const events = yield* readJournal(entity.type, id, after, limit)
  const next = events.length === limit ? events.at(-1)?.sequence : undefined
  return HttpServerResponse.jsonUnsafe({ type: entity.type, id, events, next: next ?? null }, { headers })
})

const routesOf = (entity: EntityPath) =>
  Layer.mergeAll(
    HttpRouter.add("GET", `/operator/entities${entity.path}`, (request) =>
      answerErrors("operator request", state(entity, request))
    ),
    HttpRouter.add("GET", `/operator/entities${entity.path}/journal`, (request) =>
      answerErrors("operator request", journal(entity, request))
    )
  )

/** Needs who may look (`Authenticator`) and the journal. */
export const layerRoutes = Layer.mergeAll(routesOf(app), routesOf(cluster), routesOf(tenant))
