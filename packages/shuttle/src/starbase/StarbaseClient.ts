/**
 * The requests to Starbase. A 401 looks for another credential and repeats once, when there is one; beyond
 * that nothing is repeated here: the loops that call decide.
 */
import { format } from "@starform/domain/desired/DesiredState"
import type * as Revision from "@starform/domain/ids/Revision"
import { CapacityReport } from "@starform/domain/observed/CapacityReport"
import { StatusReport } from "@starform/domain/observed/ObservedApp"
import { SnapshotBatch, SnapshotReceipt } from "@starform/domain/observed/PodSnapshot"
import { documentBytesMax, rotateHeader } from "@starform/domain/protocol/AgentApi"
import { standingHeader } from "@starform/domain/protocol/VersionSkew"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { starbaseRequestSeconds } from "../health/ShuttleMetrics.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { selfHeaders } from "./AgentSelf.ts"
import { AgentToken, hashBody, type TokenError } from "./AgentToken.ts"
import { receive, type ReceivedDocument } from "./ReceivedDocument.ts"
import {
  AgentNotServed,
  DocumentMalformed,
  FormatTooNew,
  StarbaseRefused,
  StarbaseUnreachable,
  TokenRefused
} from "./StarbaseErrors.ts"

export type ExchangeError = StarbaseUnreachable | StarbaseRefused | TokenRefused | AgentNotServed | TokenError

export interface Pull {
  /** The revision that is held; `null` asks for the full document at once. */
  readonly known: Revision.Revision | null
  /** False asks for the whole document instead of a delta. */
  readonly acceptDelta: boolean
  /** How long Starbase may hold the answer back; 0–30 s. */
  readonly wait: Duration.Duration
}

export class StarbaseClient extends Context.Service<
  StarbaseClient,
  {
    /** Waits at Starbase up to `wait`; `None` when nothing is newer. */
    readonly pull: (
      pull: Pull
    ) => Effect.Effect<Option.Option<ReceivedDocument>, ExchangeError | DocumentMalformed | FormatTooNew>
    /** Acknowledged on return. Idempotent. */
    readonly report: (report: StatusReport) => Effect.Effect<void, ExchangeError>
    /** On return Starbase takes this credential beside the present one. Idempotent. */
    readonly offer: (credential: Redacted.Redacted) => Effect.Effect<void, ExchangeError>
    /** Open while an operator asks for a rotation. */
    readonly rotationAsked: Latch.Latch
    /** Acknowledged on return: none needs to be sent again. Idempotent. `None` for an answer that says no more. */
    readonly sendSnapshots: (
      batch: SnapshotBatch
    ) => Effect.Effect<Option.Option<SnapshotReceipt>, ExchangeError>
    readonly reportCapacity: (report: CapacityReport) => Effect.Effect<void, ExchangeError>
  }
>()("@starform/shuttle/starbase/StarbaseClient") {}

const decodeFormat = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ format: Schema.Int })))
const parseJson = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Unknown))
const encodeBatch = Schema.encodeEffect(Schema.fromJsonString(SnapshotBatch))
const encodeCapacity = Schema.encodeEffect(Schema.fromJsonString(CapacityReport))
const decodeReceipt = Schema.decodeUnknownOption(Schema.fromJsonString(SnapshotReceipt))
const encodeReport = Schema.encodeEffect(Schema.fromJsonString(StatusReport))

/** Of what Starbase says to an agent that it does not serve. */
const notServedTextMax = 300

/** The format is looked at first: what a newer one means is not for this agent to guess. */
const readDocument = (body: string): Effect.Effect<ReceivedDocument, DocumentMalformed | FormatTooNew> => {
  const named = decodeFormat(body)
  return Option.isSome(named) && named.value.format > format
    ? Effect.fail(new FormatTooNew({ format: named.value.format }))
    : parseJson(body).pipe(
        Result.flatMap(receive),
        Result.mapError((cause) => new DocumentMalformed({ cause })),
        Effect.fromResult
      )
}

const unreachable = (request: string) => (cause: HttpClientError) =>
  new StarbaseUnreachable({ request, status: null, cause })

const make = Effect.gen(function* () {
  const settings = yield* ShuttleConfig
  const client = yield* HttpClient.HttpClient
  const token = yield* AgentToken
  const rotationAsked = yield* Latch.make()
  let standing = "current"
  const base = `${settings.starbaseUrl}/api/v1/clusters/${settings.clusterId}`

  const once = Effect.fnUntraced(function* (name: string, request: HttpClientRequest.HttpClientRequest) {
    const credential = yield* token.current
    const response = yield* client
      .execute(HttpClientRequest.bearerToken(HttpClientRequest.setHeaders(request, selfHeaders), credential))
      .pipe(Effect.mapError(unreachable(name)))
    return { credential, response }
  })

  /** What an answer says beside its body. */
  const heed = Effect.fnUntraced(function* (
    name: string,
    credential: Redacted.Redacted,
    response: HttpClientResponse
  ) {
    if (response.status === 426) {
      const answer = yield* Effect.orElseSucceed(response.text, () => "")
      return yield* new AgentNotServed({ request: name, answer: answer.slice(0, notServedTextMax) })
    }
    yield* token.accepted(credential)
    const present = yield* token.current
    // An answer to the credential before this one asks for what was done meanwhile.
    if (response.headers[rotateHeader] !== undefined && present === credential)
      yield* Latch.open(rotationAsked)
    const told = response.headers[standingHeader] ?? standing
    if (told === standing) return
    standing = told
    if (told === "behind") yield* Effect.logWarning("Starbase is ahead of this agent: update it")
  })

  const send = Effect.fnUntraced(function* (name: string, request: HttpClientRequest.HttpClientRequest) {
    const first = yield* once(name, request)
    if (first.response.status !== 401) {
      yield* heed(name, first.credential, first.response)
      return first.response
    }
    const isReplaced = yield* token.replace(first.credential)
    if (!isReplaced) return yield* new TokenRefused({ request: name })
    const second = yield* once(name, request)
    if (second.response.status === 401) return yield* new TokenRefused({ request: name })
    yield* heed(name, second.credential, second.response)
    return second.response
  })

  const exchange = <A, E>(
    name: string,
    request: HttpClientRequest.HttpClientRequest,
    limit: Duration.Duration,
    read: (response: HttpClientResponse) => Effect.Effect<A, E>
  ): Effect.Effect<A, E | ExchangeError> =>
    send(name, request).pipe(
      Effect.flatMap((response): Effect.Effect<A, E | ExchangeError> => {
        if (response.status < 400) return read(response)
        const status = response.status
        const isLater = status === 429 || status >= 500
        return isLater
          ? Effect.fail(new StarbaseUnreachable({ request: name, status }))
          : Effect.fail(new StarbaseRefused({ request: name, status }))
      }),
      Effect.timeoutOrElse({
        duration: limit,
        orElse: () => Effect.fail<E | ExchangeError>(new StarbaseUnreachable({ request: name, status: null }))
      }),
      Effect.timed,
      Effect.tap(([duration]) => Metric.update(starbaseRequestSeconds(name), Duration.toSeconds(duration))),
      Effect.map(([, result]) => result)
    )

  const bodyOf = (name: string, response: HttpClientResponse) =>
    response.stream.pipe(
      Stream.mapError(unreachable(name)),
      Stream.limitBytes(documentBytesMax, () =>
        Stream.fail(new StarbaseUnreachable({ request: name, status: response.status }))
      ),
      Stream.decodeText,
      Stream.mkString
    )

  const pull = Effect.fn("StarbaseClient.pull")(function* ({ acceptDelta, known, wait }: Pull) {
    const request = HttpClientRequest.get(`${base}/desired-state`, {
      acceptJson: true,
      headers: {
        ...(known === null ? {} : { "if-none-match": `"${known}"` }),
        ...(acceptDelta ? {} : { "accept-delta": "no" }),
        prefer: `wait=${Math.floor(Duration.toSeconds(wait))}`
      }
    })
    const limit = Duration.sum(wait, settings.pullMargin)
    return yield* exchange("desired-state", request, limit, (response) =>
      response.status === 304
        ? Effect.as(response.text.pipe(Effect.mapError(unreachable("desired-state"))), Option.none())
        : bodyOf("desired-state", response).pipe(Effect.flatMap(readDocument), Effect.asSome)
    )
  })

  /** @returns the answer's body */
  const post = (name: "status" | "snapshots" | "capacity", body: string) => {
    const request = HttpClientRequest.post(`${base}/${name}`, {
      acceptJson: true,
      body: HttpBody.text(body, "application/json")
    })
    return exchange(name, request, settings.reportTimeout, (response) =>
      response.text.pipe(Effect.mapError(unreachable(name)))
    )
  }

  const report = Effect.fn("StarbaseClient.report")(function* (status: StatusReport) {
    yield* post("status", yield* Effect.orDie(encodeReport(status)))
  })

  const offer = Effect.fn("StarbaseClient.offer")(function* (credential: Redacted.Redacted) {
    const request = HttpClientRequest.post(`${base}/credential`, {
      acceptJson: true,
      body: hashBody(credential)
    })
    yield* exchange("credential", request, settings.reportTimeout, (response) =>
      Effect.asVoid(response.text.pipe(Effect.mapError(unreachable("credential"))))
    )
  })

  const sendSnapshots = Effect.fn("StarbaseClient.sendSnapshots")(function* (batch: SnapshotBatch) {
    return decodeReceipt(yield* post("snapshots", yield* Effect.orDie(encodeBatch(batch))))
  })

  const reportCapacity = Effect.fn("StarbaseClient.reportCapacity")(function* (capacity: CapacityReport) {
    yield* post("capacity", yield* Effect.orDie(encodeCapacity(capacity)))
  })

  return StarbaseClient.of({ pull, report, sendSnapshots, reportCapacity, offer, rotationAsked })
})

export const layer: Layer.Layer<StarbaseClient, never, ShuttleConfig | HttpClient.HttpClient | AgentToken> =
  Layer.effect(StarbaseClient)(make)
