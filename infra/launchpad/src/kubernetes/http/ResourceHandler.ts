/** One request on objects: reads, writes and watches, each answered as Kubernetes does. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Result from "effect/Result"
import type { ApiStatus } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { isObject, type JsonObject } from "../JsonValue.ts"
import type { FieldValidation } from "../ObjectContent.ts"
import * as ObjectDeletion from "../ObjectDeletion.ts"
import * as ObjectOperations from "../ObjectOperations.ts"
import type { ObjectStore } from "../ObjectStore.ts"
import * as JsonOperations from "../patch/JsonOperations.ts"
import * as Patches from "../patch/Patches.ts"
import type { PodLogs } from "../PodLogs.ts"
import { apiVersionOf } from "../kinds/ResourceType.ts"
import * as ResourceSchema from "../schema/ResourceSchema.ts"
import * as Statuses from "../Statuses.ts"
import { failure, json, statusBody, warned } from "./Answers.ts"
import * as BodyReader from "./BodyReader.ts"
import * as ListRequest from "./ListRequest.ts"
import type { ResourceRequest } from "./RequestPath.ts"
import * as Scale from "./ScaleSubresource.ts"
import { partial, table } from "./TableFormat.ts"
import * as WatchStream from "./WatchStream.ts"

export interface HandlerServices {
  readonly store: ObjectStore["Service"]
  readonly logs: PodLogs["Service"]
}

interface Context extends HandlerServices {
  readonly request: HttpServerRequest.HttpServerRequest
  readonly target: ResourceRequest
  readonly query: URLSearchParams
  readonly nowMs: number
}

type Answer = Effect.Effect<HttpServerResponse.HttpServerResponse, ApiStatus>

const patchTypes = {
  "application/apply-patch+yaml": "apply",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
  "application/json-patch+json": "json"
} as const

const shaped = (context: Context, object: KubernetesObject, status = 200) => {
  const form = ListRequest.formOf(context.request.headers["accept"] ?? "")
  const { type } = context.target
  const metadata = { resourceVersion: object.metadata.resourceVersion }
  if (form === "metadata") return json(partial(object), status)
  if (form === "object") return json(object, status)
  return json(table(type, [object], { metadata, nowMs: context.nowMs, withColumns: true }), status)
}

const placeOf = ({ target }: Context): ObjectOperations.Place => ({
  type: target.type,
  namespace: target.namespace,
  name: target.name ?? ""
})

const managerOf = ({ query, request }: Context): string =>
  query.get("fieldManager") || (request.headers["user-agent"] ?? "unknown").split("/")[0] || "unknown"

const fieldValidationOf = ({ query }: Context): FieldValidation => {
  const wanted = query.get("fieldValidation")
  return wanted === "Strict" || wanted === "Ignore" ? wanted : "Warn"
}

const subresourceOf = ({ target: { subresource } }: Context) =>
  subresource === "status" || subresource === "scale" ? ({ subresource } as const) : {}

const writeOptions = (context: Context): ObjectOperations.WriteOptions => ({
  manager: managerOf(context),
  ...subresourceOf(context),
  fieldValidation: fieldValidationOf(context),
  dryRun: context.query.get("dryRun") === "All",
  nowMs: context.nowMs
})

const list = (context: Context): Answer => {
  const { store, target, query, nowMs, request } = context
  const form = ListRequest.formOf(request.headers["accept"] ?? "")
  return Effect.map(
    Effect.fromResult(ListRequest.list(store, target.type, target.namespace, query, form, nowMs)),
    (body) => json(body)
  )
}

const watch = Effect.fnUntraced(function* (context: Context) {
  const { store, target, query, request } = context
  const isSelected = yield* Effect.fromResult(ListRequest.selection(target.type, target.namespace, query))
  const isNamed = (object: KubernetesObject) =>
    (target.name === undefined || object.metadata.name === target.name) && isSelected(object)
  const initialEvents = query.get("sendInitialEvents") === "true"
  if (initialEvents && query.get("resourceVersionMatch") !== "NotOlderThan") {
    return yield* Statuses.initialEventsNeedMatch()
  }
  const version = query.get("resourceVersion") ?? ""
  const from = version === "" || version === "0" ? undefined : Number(version)
  if (from !== undefined && !Number.isInteger(from)) {
    return yield* Statuses.badRequest(`Invalid value: "${version}": strconv.ParseUint: invalid syntax`)
  }
  const isTooOld = from !== undefined && from < store.oldestVersion() && !initialEvents
  const seconds = Number(query.get("timeoutSeconds") ?? 0)
  const body = isTooOld
    ? WatchStream.expired(
        statusBody(Statuses.expired(`too old resource version: ${from} (${store.oldestVersion()})`))
      )
    : WatchStream.stream(store, {
        type: target.type,
        isSelected: isNamed,
        form: ListRequest.formOf(request.headers["accept"] ?? ""),
        from,
        bookmarks: query.get("allowWatchBookmarks") === "true",
        initialEvents,
        timeout: seconds > 0 ? Duration.seconds(seconds) : WatchStream.watchMax
      })
  return HttpServerResponse.stream(body, { contentType: "application/json" })
})

const logs = (context: Context): Answer => {
  const { query, target } = context
  const number = (key: string) => {
    const value = query.get(key)
    return value === null || !/^\d+$/.test(value) ? undefined : Number(value)
  }
  const container = query.get("container")
  const tailLines = number("tailLines")
  const sinceSeconds = number("sinceSeconds")
  return Effect.map(Effect.fromResult(ObjectOperations.get(context.store, placeOf(context))), (pod) => {
    const isPlaced = isObject(pod["spec"]) && typeof pod["spec"]["nodeName"] === "string"
    if (!isPlaced) return HttpServerResponse.empty({ status: 204 })
    const output = context.logs.stream(
      {
        namespace: target.namespace ?? "",
        name: target.name ?? "",
        ...(container === null ? {} : { container })
      },
      {
        follow: query.get("follow") === "true",
        previous: query.get("previous") === "true",
        timestamps: query.get("timestamps") === "true",
        ...(tailLines === undefined ? {} : { tailLines }),
        ...(sinceSeconds === undefined ? {} : { sinceSeconds })
      }
    )
    return HttpServerResponse.stream(output, { contentType: "text/plain" })
  })
}

const read = (context: Context): Answer => {
  const { target, store } = context
  if (target.subresource === "log") return logs(context)
  return Effect.map(Effect.fromResult(ObjectOperations.get(store, placeOf(context))), (object) =>
    target.subresource === "scale" ? json(Scale.of(object)) : shaped(context, object)
  )
}

/** The body must be of the kind and the place that the path says. */
const checkBody = (context: Context, content: JsonObject): ApiStatus | undefined => {
  const { type, namespace, name } = context.target
  const { kind, apiVersion } = content
  if (kind !== type.kind || apiVersion !== apiVersionOf(type)) {
    const [group, version] = String(apiVersion ?? "").includes("/")
      ? String(apiVersion).split("/")
      : ["", String(apiVersion ?? "")]
    return Statuses.badRequest(`invalid object type: ${group}/${version}, Kind=${String(kind ?? "")}`)
  }
  const metadata = isObject(content["metadata"]) ? content["metadata"] : {}
  const given = metadata["name"]
  if (name !== undefined && given !== undefined && given !== name) {
    return Statuses.badRequest(
      `the name of the object (${String(given)}) does not match the name on the URL (${name})`
    )
  }
  if (namespace !== undefined && (metadata["namespace"] ?? namespace) !== namespace) {
    return Statuses.badRequest(
      "the namespace of the provided object does not match the namespace sent on the request"
    )
  }
  return undefined
}

const checked = (context: Context, content: JsonObject): Effect.Effect<JsonObject, ApiStatus> => {
  const problem = checkBody(context, content)
  return problem === undefined ? Effect.succeed(content) : Effect.fail(problem)
}

const written = (context: Context, outcome: Result.Result<ObjectOperations.Written, ApiStatus>): Answer =>
  Effect.map(Effect.fromResult(outcome), ({ object, created, warnings }) =>
    warned(shaped(context, object, created ? 201 : 200), warnings)
  )

const acceptedBodies = "application/json, application/yaml"

/** A custom kind has no keys of strategic merge. */
const customPatches =
  "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"

const offered = "application/json, application/json;stream=watch"

const isJsonWelcome = (accept: string | undefined): boolean =>
  accept === undefined || accept === "" || /(application|\*)\/(json|\*)/.test(accept)

const readObject = Effect.fnUntraced(function* (context: Context) {
  const { request, target } = context
  const media = BodyReader.mediaType(request)
  if (media !== "application/json" && media !== "application/yaml" && media !== "") {
    return yield* Statuses.unsupportedMediaType(acceptedBodies)
  }
  const text = yield* BodyReader.read(request)
  return yield* BodyReader.decodeObject(text, target.type.kind)
})

const create = Effect.fnUntraced(function* (context: Context) {
  const content = yield* Effect.flatMap(readObject(context), (body) => checked(context, body))
  const { type, namespace } = context.target
  const options = writeOptions(context)
  return yield* written(context, ObjectOperations.create(context.store, type, namespace, content, options))
})

const replace = Effect.fnUntraced(function* (context: Context) {
  const body = yield* readObject(context)
  const place = placeOf(context)
  if (context.target.subresource === "scale") {
    return yield* Effect.map(
      Effect.fromResult(Scale.write(context.store, place, () => body, writeOptions(context))),
      (scale) => json(scale)
    )
  }
  const content = yield* checked(context, body)
  return yield* written(
    context,
    ObjectOperations.update(context.store, place, content, writeOptions(context))
  )
})

const applyPatch = Effect.fnUntraced(function* (context: Context, text: string) {
  if ((context.query.get("fieldManager") ?? "") === "") return yield* Statuses.fieldManagerRequired()
  const body = yield* BodyReader.decodeYaml(text).pipe(
    Effect.mapError((problem) =>
      Statuses.badRequest(`error decoding YAML: error converting YAML to JSON: ${problem}`)
    )
  )
  const content = yield* checked(context, isObject(body) ? body : {})
  const metadata = isObject(content["metadata"]) ? content["metadata"] : {}
  if (metadata["managedFields"] !== undefined) {
    return yield* Statuses.badRequest("metadata.managedFields must be nil")
  }
  const options = { ...writeOptions(context), force: context.query.get("force") === "true" }
  return yield* written(context, ObjectOperations.apply(context.store, placeOf(context), content, options))
})

const patched = (
  kind: Exclude<(typeof patchTypes)[keyof typeof patchTypes], "apply">,
  before: JsonObject,
  patch: unknown,
  schemaOf: string
): Result.Result<unknown, ApiStatus> => {
  if (kind === "merge") return Result.succeed(Patches.merge(before, patch))
  if (kind === "strategic") {
    return Result.succeed(Patches.strategic(before, patch, ResourceSchema.ofKind(schemaOf)))
  }
  return Result.mapError(JsonOperations.apply(before, patch), Statuses.unprocessable)
}

const patch = Effect.fnUntraced(function* (context: Context) {
  const kind = patchTypes[BodyReader.mediaType(context.request) as keyof typeof patchTypes]
  if (kind === undefined) return yield* Statuses.unsupportedPatchType()
  if (kind === "strategic" && !context.target.type.isBuiltIn) {
    return yield* Statuses.unsupportedMediaType(customPatches)
  }
  const text = yield* BodyReader.read(context.request)
  if (kind === "apply") return yield* applyPatch(context, text)
  const change = yield* BodyReader.decode(text).pipe(
    Effect.mapError((problem) => Statuses.badRequest(`error decoding patch: ${problem}`))
  )
  const { store, target } = context
  const place = placeOf(context)
  if (target.subresource === "scale") {
    const write = Scale.write(store, place, (before) => Patches.merge(before, change), writeOptions(context))
    return yield* Effect.map(Effect.fromResult(write), (scale) => json(scale))
  }
  const before = yield* Effect.fromResult(ObjectOperations.get(store, place))
  const after = yield* Effect.fromResult(patched(kind, before, change, target.type.kind))
  const content = yield* checked(context, isObject(after) ? after : {})
  return yield* written(context, ObjectOperations.update(store, place, content, writeOptions(context)))
})

const deleteOptions = Effect.fnUntraced(function* (context: Context) {
  const text = yield* BodyReader.read(context.request)
  const body = text === "" ? {} : yield* BodyReader.decodeObject(text, "DeleteOptions")
  const { query, nowMs } = context
  const preconditions = isObject(body["preconditions"]) ? body["preconditions"] : {}
  const { uid, resourceVersion } = preconditions
  const grace = body["gracePeriodSeconds"] ?? query.get("gracePeriodSeconds")
  const propagation = String(body["propagationPolicy"] ?? query.get("propagationPolicy") ?? "Background")
  return {
    propagation: propagation as ObjectDeletion.Propagation,
    dryRun:
      query.get("dryRun") === "All" || (Array.isArray(body["dryRun"]) && body["dryRun"].includes("All")),
    nowMs,
    ...(typeof uid === "string" ? { uid } : {}),
    ...(typeof resourceVersion === "string" ? { resourceVersion } : {}),
    ...(grace === null || grace === undefined ? {} : { gracePeriodSeconds: Number(grace) })
  }
})

const remove = Effect.fnUntraced(function* (context: Context) {
  const options = yield* deleteOptions(context)
  const { type } = context.target
  const outcome = yield* Effect.fromResult(ObjectDeletion.remove(context.store, placeOf(context), options))
  if (!outcome.gone || type.kind === "Pod") return shaped(context, outcome.object)
  const { name, uid } = outcome.object.metadata
  return json({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: { name, ...(type.group === "" ? {} : { group: type.group }), kind: type.plural, uid }
  })
})

const removeAll = Effect.fnUntraced(function* (context: Context) {
  const options = yield* deleteOptions(context)
  const { target, store, query } = context
  const isSelected = yield* Effect.fromResult(ListRequest.selection(target.type, target.namespace, query))
  const answer = yield* list(context)
  for (const object of store.list(target.type.resource).objects.filter(isSelected)) {
    const { name, namespace } = object.metadata
    ObjectDeletion.remove(store, { type: target.type, namespace, name }, options)
  }
  return answer
})

const route = (context: Context): Answer => {
  const { request, target, query } = context
  const { name, subresource, type } = target
  if (subresource !== undefined && !(type.subresources as ReadonlyArray<string>).includes(subresource)) {
    return Effect.fail(Statuses.unknownPath())
  }
  if (subresource !== "log" && !isJsonWelcome(request.headers["accept"])) {
    return Effect.fail(Statuses.notAcceptable(offered))
  }
  const isWatch = query.get("watch") === "true" || query.get("watch") === "1"
  if (name === undefined) {
    if (request.method === "GET") return isWatch ? watch(context) : list(context)
    if (request.method === "POST") return create(context)
    if (request.method === "DELETE") return removeAll(context)
    return Effect.fail(Statuses.methodNotAllowed())
  }
  switch (request.method) {
    case "GET":
      return isWatch ? watch(context) : read(context)
    case "PUT":
      return replace(context)
    case "PATCH":
      return patch(context)
    case "DELETE":
      return subresource === undefined ? remove(context) : Effect.fail(Statuses.methodNotAllowed())
    default:
      return Effect.fail(Statuses.methodNotAllowed())
  }
}

export const handle = (
  services: HandlerServices,
  request: HttpServerRequest.HttpServerRequest,
  target: ResourceRequest,
  query: URLSearchParams
): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
    route({ ...services, request, target, query, nowMs })
  ).pipe(Effect.catch((status) => Effect.succeed(failure(status))))
