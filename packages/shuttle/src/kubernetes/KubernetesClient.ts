/**
 * The requests that the agent makes to the Kubernetes API: our own HTTP with keep-alive, typed errors, a deadline for
 * each request, and as many at once as the server keeps up with (`RequestPace`; watches aside). No retries but of what the
 * server refused for its load: the loops that call decide. Writes go out only while this agent leads (`Tenure`).
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Tenure } from "../leadership/Tenure.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { checkedWrites } from "./internal/checkedWrites.ts"
import { malformed, noAnswer, nothing, unexpected, unsentOrNoAnswer } from "./internal/requestFailures.ts"
import { errorOf } from "./internal/statusAnswer.ts"
import { readLine, type VersionedReference, type WatchEvent } from "./internal/watchLine.ts"
import { type Connection, KubernetesConnection } from "./KubernetesConnection.ts"
import {
  type FieldConflict,
  type KubernetesAnswerMalformed,
  KubernetesUnreachable,
  NotLeading,
  type ObjectNotFound,
  type ObjectReplaced,
  type RequestError,
  type VersionExpired
} from "./KubernetesErrors.ts"
import { type Manifest, referenceOf } from "./Manifest.ts"
import { fieldManager, fromWire, hasBody, type ObservedObject, WireObject } from "./ObservedObject.ts"
import {
  apiVersionOf,
  collectionPath,
  keyOf,
  objectPath,
  type ObjectReference,
  type ResourceKind
} from "./ResourceKind.ts"
import * as RequestPace from "./RequestPace.ts"

export interface ObjectPage {
  readonly objects: ReadonlyArray<ObservedObject>
  /** Of the whole list; where a watch goes on. */
  readonly resourceVersion: string
  /** Token for the next page; `null` on the last one. */
  readonly next: string | null
}

export interface Applied {
  readonly object: ObservedObject
  /** False when an object of that name was there already. */
  readonly created: boolean
}

export interface Requests {
  readonly get: (reference: ObjectReference) => Effect.Effect<ObservedObject, ObjectNotFound | RequestError>
  readonly list: (
    kind: ResourceKind,
    labelSelector: string,
    next: string | null
  ) => Effect.Effect<ObjectPage, VersionExpired | RequestError>
  /** Events after `resourceVersion`. Ends when the server ends it; fails as unreachable after `watchIdle` of silence. */
  readonly watch: (
    kind: ResourceKind,
    labelSelector: string,
    resourceVersion: string,
    isKnown: (object: VersionedReference) => boolean
  ) => Stream.Stream<WatchEvent, VersionExpired | RequestError>
  /** Server-side apply. `force` takes fields over from other managers. Safe to repeat. */
  readonly apply: (
    manifest: Manifest,
    force: boolean
  ) => Effect.Effect<Applied, FieldConflict | ObjectReplaced | ObjectNotFound | NotLeading | RequestError>
  /**
   * Server-side apply of parts of a spec to exactly that object, which is there already, under a manager's name of its own.
   * @errors FieldConflict when another manager holds one of them at another value
   */
  readonly applyFields: (
    object: ObjectReference & { readonly uid: string },
    spec: Readonly<Record<string, unknown>>,
    manager: string
  ) => Effect.Effect<void, FieldConflict | ObjectReplaced | ObjectNotFound | NotLeading | RequestError>
  /** Of exactly the object with that uid; succeeds when there is none of that name any more. */
  readonly remove: (
    reference: ObjectReference,
    uid: string
  ) => Effect.Effect<void, ObjectReplaced | NotLeading | RequestError>
  /** Last lines of a pod's only container; of its previous run when `previous`. */
  readonly podLog: (
    namespace: string,
    pod: string,
    tailLines: number,
    previous: boolean
  ) => Effect.Effect<ReadonlyArray<string>, ObjectNotFound | RequestError>
  /** Of the whole cluster, whoever made them. One object is read, where the server says how many more there are. */
  readonly podCount: Effect.Effect<number, RequestError>
  /** What was said of a pod's failing probes, oldest first, e.g. `Startup probe failed: HTTP probe failed with statuscode: 500`. */
  readonly probeFailures: (
    namespace: string,
    pod: string
  ) => Effect.Effect<ReadonlyArray<string>, ObjectNotFound | RequestError>
}

export class KubernetesClient extends Context.Service<KubernetesClient, Requests>()(
  "@starform/shuttle/kubernetes/KubernetesClient"
) {}

const decodeObject = Schema.decodeUnknownResult(WireObject)
const decodeList = Schema.decodeUnknownEffect(
  Schema.Struct({
    metadata: Schema.Struct({ resourceVersion: Schema.String, continue: Schema.optionalKey(Schema.String) }),
    items: Schema.NullOr(Schema.Array(WireObject))
  })
)

/** @source Kubernetes API: meta/v1 ListMeta; the server may leave `remainingItemCount` out */
const decodeCount = Schema.decodeUnknownEffect(
  Schema.Struct({
    metadata: Schema.Struct({
      continue: Schema.optionalKey(Schema.String),
      remainingItemCount: Schema.optionalKey(Schema.NullOr(Schema.Int))
    }),
    items: Schema.NullOr(Schema.Array(Schema.Unknown))
  })
)

/** @source Kubernetes API: core/v1 Event; both times are absent in events of the newer kind */
const decodeEvents = Schema.decodeUnknownEffect(
  Schema.Struct({
    items: Schema.NullOr(
      Schema.Array(
        Schema.Struct({
          message: Schema.optionalKey(Schema.NullOr(Schema.String)),
          lastTimestamp: Schema.optionalKey(Schema.NullOr(Schema.String))
        })
      )
    )
  })
)

/**
 * What is asked for of a kind. Without its body, values of Secrets never reach this process in lists and watches.
 *
 * @source Kubernetes API: "Metadata-only fetches"; a server that cannot do it answers with the whole object
 */
const metadataOnly = (form: "PartialObjectMetadata" | "PartialObjectMetadataList") =>
  `application/json;as=${form};g=meta.k8s.io;v=v1,application/json`

const accept = (kind: ResourceKind, form: "PartialObjectMetadata" | "PartialObjectMetadataList") => ({
  accept: hasBody(kind) ? "application/json" : metadataOnly(form)
})

/** A deploy's trace has the steps of `tracing/`; a span for each of thousands of requests would tell nobody more. */
const withoutSpan = <A, E, R>(execution: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(execution, HttpClient.TracerDisabledWhen, () => true)

const make = Effect.gen(function* () {
  const settings = yield* ShuttleConfig
  const connection: Connection = yield* KubernetesConnection
  const tenure = yield* Tenure
  const dispatcher = yield* NodeHttpClient.makeDispatcherOptions({ connect: connection.tls })
  const undici = yield* NodeHttpClient.makeUndici.pipe(
    Effect.provideService(
      NodeHttpClient.Dispatcher,
      tenure.isElected ? checkedWrites(dispatcher, tenure.mayWrite) : dispatcher
    )
  )
  const client = HttpClient.transform(undici, withoutSpan)
  const pace = yield* RequestPace.make(settings.kubernetesRequestsMax)

  /** The response, once it is 2xx. */
  const open = Effect.fnUntraced(function* (operation: string, request: HttpClientRequest.HttpClientRequest) {
    const authorization = yield* connection.authorization
    const authorized = Option.match(authorization, {
      onNone: () => request,
      onSome: (value) => HttpClientRequest.setHeader(request, "authorization", Redacted.value(value))
    })
    const response = yield* client
      .execute(HttpClientRequest.prependUrl(authorized, connection.url))
      .pipe(Effect.mapError(unsentOrNoAnswer(operation)))
    if (response.status >= 200 && response.status < 300) return response
    return yield* Effect.flatMap(errorOf(operation, response), Effect.fail)
  })

  /** @param operation its first word is the kind of request, its second the kind of object */
  const bounded = <A, E>(
    operation: string,
    effect: Effect.Effect<A, E>,
    longest: () => Duration.Duration
  ) => {
    const [kind = ""] = operation.split("/", 1)
    const timed = Effect.suspend(() =>
      Effect.timeoutOrElse(effect, {
        duration: longest(),
        orElse: () =>
          Effect.fail(new KubernetesUnreachable({ operation, status: null, retryAfterSeconds: null }))
      })
    )
    return pace.run(kind, timed)
  }

  type Read<A> = (
    response: HttpClientResponse
  ) => Effect.Effect<A, HttpClientError | KubernetesAnswerMalformed>

  const exchange = <A>(
    operation: string,
    opened: ReturnType<typeof open>,
    read: Read<A>,
    longest: () => Duration.Duration
  ) =>
    bounded(
      operation,
      opened.pipe(
        Effect.flatMap((response) =>
          Effect.catchTag(read(response), "HttpClientError", (cause) =>
            Effect.fail(noAnswer(operation)(cause))
          )
        )
      ),
      longest
    )

  const ask = <A>(operation: string, request: HttpClientRequest.HttpClientRequest, read: Read<A>) =>
    Effect.catchTag(
      exchange(operation, open(operation, request), read, () => settings.kubernetesRequestTimeout),
      "NotLeading",
      unexpected(operation)
    )

  /** Given up when another agent may lead. Who does not lead at all does not wait for a connection to learn that. */
  const change = <A>(operation: string, request: HttpClientRequest.HttpClientRequest, read: Read<A>) =>
    exchange(
      operation,
      Effect.suspend(() =>
        tenure.mayWrite() ? open(operation, request) : Effect.fail(new NotLeading({ operation }))
      ),
      read,
      () => Duration.min(settings.kubernetesRequestTimeout, tenure.left())
    )

  const readObject = (operation: string, kind: ResourceKind) => (response: HttpClientResponse) =>
    Effect.flatMap(response.json, (body) =>
      Effect.fromResult(
        decodeObject(body).pipe(
          Result.mapBoth({ onFailure: malformed(operation), onSuccess: (wire) => fromWire(kind, wire) })
        )
      )
    )

  const get: Requests["get"] = (reference) => {
    const operation = `get ${keyOf(reference)}`
    return ask(
      operation,
      HttpClientRequest.get(objectPath(reference), {
        headers: accept(reference.kind, "PartialObjectMetadata")
      }),
      readObject(operation, reference.kind)
    ).pipe(
      Effect.catchTags({
        FieldConflict: nothing.FieldConflict(operation),
        ObjectReplaced: nothing.ObjectReplaced(operation),
        VersionExpired: unexpected(operation)
      })
    )
  }

  const list: Requests["list"] = (kind, labelSelector, next) => {
    const operation = `list ${kind}`
    return ask(
      operation,
      HttpClientRequest.get(collectionPath(kind), {
        headers: accept(kind, "PartialObjectMetadataList"),
        urlParams: {
          labelSelector,
          limit: settings.listPageSize,
          ...(next === null ? {} : { continue: next })
        }
      }),
      (response) =>
        response.json.pipe(
          Effect.flatMap((body) => Effect.mapError(decodeList(body), malformed(operation))),
          Effect.map(({ items, metadata }) => ({
            objects: (items ?? []).map((item) => fromWire(kind, item)),
            resourceVersion: metadata.resourceVersion,
            next: metadata.continue === undefined || metadata.continue === "" ? null : metadata.continue
          }))
        )
    ).pipe(
      Effect.catchTags({
        FieldConflict: nothing.FieldConflict(operation),
        ObjectReplaced: nothing.ObjectReplaced(operation),
        ObjectNotFound: unexpected(operation)
      })
    )
  }

  const watch: Requests["watch"] = (kind, labelSelector, resourceVersion, isKnown) => {
    const operation = `watch ${kind}`
    const request = HttpClientRequest.get(collectionPath(kind), {
      headers: accept(kind, "PartialObjectMetadata"),
      urlParams: {
        watch: 1,
        allowWatchBookmarks: true,
        labelSelector,
        resourceVersion,
        timeoutSeconds: Math.ceil(Duration.toSeconds(settings.watchLife))
      }
    })
    const opened = open(operation, request).pipe(
      Effect.timeoutOrElse({
        duration: Duration.min(settings.watchIdle, settings.kubernetesRequestTimeout),
        orElse: () =>
          Effect.fail(new KubernetesUnreachable({ operation, status: null, retryAfterSeconds: null }))
      }),
      Effect.catchTags({
        FieldConflict: nothing.FieldConflict(operation),
        ObjectReplaced: nothing.ObjectReplaced(operation),
        ObjectNotFound: unexpected(operation),
        NotLeading: unexpected(operation)
      }),
      Effect.map((response) => response.stream.pipe(Stream.mapError(noAnswer(operation))))
    )
    const isOpen: WatchEvent = { _tag: "Opened" }
    return Stream.unwrap(
      Effect.map(opened, (body) =>
        body.pipe(
          Stream.timeoutOrElse({
            duration: settings.watchIdle,
            orElse: () =>
              Stream.fail(new KubernetesUnreachable({ operation, status: null, retryAfterSeconds: null }))
          }),
          Stream.decodeText,
          Stream.splitLines,
          Stream.filter((line) => line !== ""),
          Stream.mapEffect((line) => Effect.fromResult(readLine(kind, operation, line, isKnown))),
          Stream.prepend([isOpen])
        )
      )
    )
  }

  const apply: Requests["apply"] = (manifest, force) => {
    const reference = referenceOf(manifest)
    const operation = `apply ${keyOf(reference)}`
    const request = HttpClientRequest.patch(objectPath(reference), {
      headers: accept(manifest.kind, "PartialObjectMetadata"),
      urlParams: { fieldManager, force },
      body: HttpBody.text(JSON.stringify(manifest), "application/apply-patch+yaml")
    })
    return change(operation, request, (response) =>
      Effect.map(readObject(operation, manifest.kind)(response), (object) => ({
        object,
        created: response.status === 201
      }))
    ).pipe(Effect.catchTag("VersionExpired", unexpected(operation)))
  }

  const applyFields: Requests["applyFields"] = (object, spec, manager) => {
    const operation = `apply fields of ${keyOf(object)}`
    const { kind, name, namespace, uid } = object
    const body = { apiVersion: apiVersionOf(kind), kind, metadata: { name, namespace, uid }, spec }
    const request = HttpClientRequest.patch(objectPath(object), {
      acceptJson: true,
      urlParams: { fieldManager: manager, force: false },
      body: HttpBody.text(JSON.stringify(body), "application/apply-patch+yaml")
    })
    return change(operation, request, (response) => Effect.asVoid(response.text)).pipe(
      Effect.catchTag("VersionExpired", unexpected(operation))
    )
  }

  const remove: Requests["remove"] = (reference, uid) => {
    const operation = `delete ${keyOf(reference)}`
    const body = {
      kind: "DeleteOptions",
      apiVersion: "v1",
      propagationPolicy: "Background",
      preconditions: { uid }
    }
    const request = HttpClientRequest.delete(objectPath(reference), {
      acceptJson: true,
      body: HttpBody.text(JSON.stringify(body), "application/json")
    })
    return change(operation, request, (response) => Effect.asVoid(response.text)).pipe(
      Effect.catchTags({
        ObjectNotFound: () => Effect.void,
        FieldConflict: nothing.FieldConflict(operation),
        VersionExpired: unexpected(operation)
      })
    )
  }

  const podLog: Requests["podLog"] = (namespace, pod, tailLines, previous) => {
    const operation = `log Pod/${namespace}/${pod}`
    const path = `${objectPath({ kind: "Pod", namespace, name: pod })}/log`
    return ask(
      operation,
      HttpClientRequest.get(path, { urlParams: { tailLines, previous } }),
      (response) => response.text
    ).pipe(
      Effect.map((text) => text.split("\n").filter((line) => line !== "")),
      Effect.catchTags({
        FieldConflict: nothing.FieldConflict(operation),
        ObjectReplaced: nothing.ObjectReplaced(operation),
        VersionExpired: unexpected(operation)
      })
    )
  }

  const probeFailures: Requests["probeFailures"] = (namespace, pod) => {
    const operation = `events of Pod/${namespace}/${pod}`
    const fieldSelector = `involvedObject.kind=Pod,involvedObject.name=${pod},reason=Unhealthy`
    const request = HttpClientRequest.get(`/api/v1/namespaces/${namespace}/events`, {
      acceptJson: true,
      urlParams: { fieldSelector, limit: settings.listPageSize }
    })
    return ask(operation, request, (response) =>
      response.json.pipe(Effect.flatMap(decodeEvents), Effect.mapError(malformed(operation)))
    ).pipe(
      Effect.map(({ items }) =>
        (items ?? [])
          .toSorted((a, b) => (a.lastTimestamp ?? "").localeCompare(b.lastTimestamp ?? ""))
          .flatMap(({ message }) => (message == null ? [] : [message]))
      ),
      Effect.catchTags({
        FieldConflict: nothing.FieldConflict(operation),
        ObjectReplaced: nothing.ObjectReplaced(operation),
        VersionExpired: unexpected(operation)
      })
    )
  }

  const countPage = (limit: number, next: string | null) => {
    const operation = "count Pod"
    const request = HttpClientRequest.get(collectionPath("Pod"), {
      headers: { accept: metadataOnly("PartialObjectMetadataList") },
      urlParams: { limit, ...(next === null ? {} : { continue: next }) }
    })
    return ask(operation, request, (response) =>
      response.json.pipe(Effect.flatMap(decodeCount), Effect.mapError(malformed(operation)))
    ).pipe(
      Effect.catchTags({
        FieldConflict: nothing.FieldConflict(operation),
        ObjectReplaced: nothing.ObjectReplaced(operation),
        ObjectNotFound: unexpected(operation),
        VersionExpired: unexpected(operation)
      })
    )
  }

  const podCount: Requests["podCount"] = Effect.gen(function* () {
    let page = yield* countPage(1, null)
    let count = page.items?.length ?? 0
    while (page.metadata.continue !== undefined && page.metadata.continue !== "") {
      if (page.metadata.remainingItemCount != null) return count + page.metadata.remainingItemCount
      page = yield* countPage(settings.listPageSize, page.metadata.continue)
      count += page.items?.length ?? 0
    }
    return count
  })

  return KubernetesClient.of({
    get,
    list,
    watch,
    apply,
    applyFields,
    remove,
    podLog,
    podCount,
    probeFailures
  })
})

export const layer: Layer.Layer<KubernetesClient, never, ShuttleConfig | KubernetesConnection | Tenure> =
  Layer.effect(KubernetesClient)(make)
