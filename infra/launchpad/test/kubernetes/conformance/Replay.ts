/** Sends what was recorded to a server of ours, and tells how the answers differ. */
import { isObject } from "@starform/launchpad/kubernetes/JsonValue"
import { Clock, Deferred, Effect, Fiber, Ref, Scope, Stream } from "effect"
import { HttpClient, HttpClientRequest, type HttpClientResponse, HttpServer } from "effect/http"
import type { HttpMethod } from "effect/http/HttpMethod"
import * as Correspondence from "./Correspondence.ts"
import type { RecordedExchange, RecordedRequest, Recording } from "./Recording.ts"

/** How long a polled answer may take. */
const patienceMs = 5000

/** Where the server under test listens. */
export const origin = Effect.map(HttpServer.HttpServer, ({ address }) =>
  "port" in address ? `http://127.0.0.1:${address.port}` : ""
)

/** Sends as the recorder did, with the token of the test cluster unless the request has its own. */
export const send = Effect.fnUntraced(function* (request: RecordedRequest) {
  const url = yield* origin
  const { authorization, ...headers } = request.headers
  const body =
    request.body === undefined
      ? undefined
      : typeof request.body === "string"
        ? request.body
        : JSON.stringify(request.body)
  const plain = HttpClientRequest.make(request.method as HttpMethod)(`${url}${request.path}`).pipe(
    HttpClientRequest.setHeaders({
      "user-agent": "recorder",
      authorization: authorization ?? "Bearer kubernetes-test-token",
      ...headers
    })
  )
  const whole =
    body === undefined
      ? plain
      : HttpClientRequest.bodyText(plain, body, headers["content-type"] ?? "application/json")
  return yield* HttpClient.execute(whole)
})

const bodyOf = Effect.fnUntraced(function* (response: HttpClientResponse.HttpClientResponse) {
  const text = yield* response.text
  const isJson = text.startsWith("{")
  return text === "" ? undefined : isJson ? (JSON.parse(text) as unknown) : text
})

const kindOf = (event: unknown): unknown => (isObject(event) ? event["type"] : undefined)

/** A quiet watch gets bookmarks as often as the server likes. */
const withoutRepeatedBookmarks = (events: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  events.filter((event, index) => kindOf(event) !== "BOOKMARK" || kindOf(events[index - 1]) !== "BOOKMARK")

interface OpenWatch {
  readonly exchange: RecordedExchange
  readonly label: string
  readonly events: Ref.Ref<ReadonlyArray<unknown>>
  readonly ending: Fiber.Fiber<void, unknown>
}

/** The differences that are not known, and the known ones that are none. */
const unexpected = (exchange: RecordedExchange, found: ReadonlyArray<string>): ReadonlyArray<string> => {
  const known = exchange.differs ?? []
  return [
    ...found.filter((line) => !known.some(({ at }) => line.startsWith(at))),
    ...known
      .filter(({ at }) => !found.some((line) => line.startsWith(at)))
      .map(({ at, because }) => `${at}: does not differ, though it should: ${because}`)
  ]
}

/** Every difference between the recording and what this server answers. */
export const replay = Effect.fnUntraced(function* (recording: Recording) {
  const known = Correspondence.make()
  const differences: Array<string> = []
  let watches: ReadonlyArray<OpenWatch> = []
  const scope = yield* Scope.Scope

  const current = (request: RecordedRequest): RecordedRequest =>
    JSON.parse(Correspondence.translate(known, JSON.stringify(request))) as RecordedRequest

  const finish = Effect.fnUntraced(function* (watch: OpenWatch) {
    const wanted = withoutRepeatedBookmarks(watch.exchange.events ?? [])
    if (watch.exchange.ended === "by the server") yield* Fiber.await(watch.ending)
    else {
      const startMs = yield* Clock.currentTimeMillis
      while (
        (yield* Ref.get(watch.events)).length < wanted.length &&
        (yield* Clock.currentTimeMillis) - startMs < patienceMs
      ) {
        yield* Effect.sleep("5 millis")
      }
      yield* Fiber.interrupt(watch.ending)
    }
    const events = withoutRepeatedBookmarks(yield* Ref.get(watch.events))
    differences.push(
      ...unexpected(watch.exchange, Correspondence.compare(known, wanted, events, "events")).map(
        (line) => `${watch.label} ${line}`
      )
    )
  })

  const finishWatches = Effect.suspend(() => Effect.forEach(watches, finish)).pipe(
    Effect.andThen(Effect.sync(() => (watches = [])))
  )

  const open = Effect.fnUntraced(function* (exchange: RecordedExchange, label: string) {
    const events = yield* Ref.make<ReadonlyArray<unknown>>([])
    const isOpen = yield* Deferred.make<void>()
    const reading = Effect.gen(function* () {
      const response = yield* send(current(exchange.request))
      differences.push(
        ...Correspondence.compareHeaders(known, exchange.response.headers, response.headers).map(
          (line) => `${label} ${line}`
        )
      )
      yield* Deferred.succeed(isOpen, undefined)
      yield* response.stream.pipe(
        Stream.decodeText(),
        Stream.splitLines,
        Stream.filter((line) => line !== ""),
        Stream.runForEach((line) => Ref.update(events, (seen) => [...seen, JSON.parse(line) as unknown]))
      )
    })
    const ending = yield* Effect.forkIn(Effect.scoped(reading), scope)
    yield* Effect.race(Deferred.await(isOpen), Fiber.join(ending))
    watches = [...watches, { exchange, label, events, ending }]
  })

  const exchanged = Effect.fnUntraced(function* (exchange: RecordedExchange, label: string) {
    const wanted = exchange.response
    const startMs = yield* Clock.currentTimeMillis
    let response = yield* send(current(exchange.request))
    while (
      exchange.polled !== undefined &&
      response.status !== wanted.status &&
      (yield* Clock.currentTimeMillis) - startMs < patienceMs
    ) {
      yield* Effect.sleep("5 millis")
      response = yield* send(current(exchange.request))
    }
    const body = yield* bodyOf(response)
    const found = [
      ...(response.status === wanted.status ? [] : [`status ${response.status}, recorded ${wanted.status}`]),
      ...Correspondence.compareHeaders(known, wanted.headers, response.headers),
      ...Correspondence.compare(known, wanted.body, body, "body")
    ]
    differences.push(...unexpected(exchange, found).map((line) => `${label} ${line}`))
  })

  for (const [index, step] of recording.steps.entries()) {
    if ("set" in step) {
      const response = yield* send(current(step.set))
      if (response.status >= 300) {
        differences.push(`#${index} ${step.set.method} ${step.set.path}: ${yield* response.text}`)
      }
    } else if ("await" in step) yield* finishWatches
    else {
      const label = `#${index} ${step.request.method} ${step.request.path}${step.note === undefined ? "" : ` (${step.note})`}:`
      yield* step.events === undefined ? exchanged(step, label) : open(step, label)
    }
  }
  yield* finishWatches
  return differences
}, Effect.scoped)
