/** The local cluster's API over HTTP: who may ask, discovery, and the way to the objects. */
import { createHash, timingSafeEqual } from "node:crypto"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { failure } from "./Answers.ts"
import * as DiscoveryAnswers from "./DiscoveryAnswers.ts"
import * as MetricsAnswers from "./MetricsAnswers.ts"
import * as RequestPath from "./RequestPath.ts"
import { handle } from "./ResourceHandler.ts"
import type { KubernetesSettings } from "../KubernetesSettings.ts"
import { ObjectStore } from "../ObjectStore.ts"
import { PodLogs } from "../PodLogs.ts"
import { PodMetrics } from "../PodMetrics.ts"
import * as Statuses from "../Statuses.ts"

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Compares in constant time, so that a token cannot be guessed piece by piece. */
const makeAuthenticator = (tokens: ReadonlyArray<Redacted.Redacted<string>>) => {
  const known = tokens.map((token) => digest(Redacted.value(token)))
  return (header: string | undefined): boolean => {
    const given = digest(/^Bearer (.+)$/.exec(header ?? "")?.[1] ?? "")
    return known.some((token) => timingSafeEqual(token, given))
  }
}

const makeApp = (settings: KubernetesSettings) =>
  Effect.gen(function* () {
    const store = yield* ObjectStore
    const logs = yield* PodLogs
    const metrics = yield* PodMetrics
    const discovery = DiscoveryAnswers.make(metrics.isServed)
    const isPermitted = makeAuthenticator(settings.tokens)
    const app = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const mark = request.url.indexOf("?")
      const path = mark === -1 ? request.url : request.url.slice(0, mark)
      const query = new URLSearchParams(mark === -1 ? "" : request.url.slice(mark + 1))
      const healthy = DiscoveryAnswers.health(path)
      if (healthy !== undefined) return healthy
      if (!isPermitted(request.headers["authorization"])) return failure(Statuses.unauthorized())
      const document = discovery(path, request)
      if (document !== undefined) return document
      const measured = MetricsAnswers.handle(store, metrics, request, path, query)
      if (measured !== undefined) return yield* measured
      const target = RequestPath.parse(path)
      if (target === undefined) return DiscoveryAnswers.noSuchPath()
      return target === "unknown kind"
        ? failure(Statuses.unknownPath())
        : yield* handle({ store, logs }, request, target, query)
    })
    return { app }
  })

/** Serves for as long as its scope. Needs an HTTP server, the store, and whoever has the pods' logs. */
export const layerNoDeps = (settings: KubernetesSettings) =>
  Layer.unwrap(Effect.map(makeApp(settings), ({ app }) => HttpServer.serve(app)))
