/** A cluster without pods, and requests to it. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { isObject, type JsonObject } from "@starform/launchpad/kubernetes/JsonValue"
import { objectsAt } from "@starform/launchpad/kubernetes/kinds/TableColumn"
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"
import { Effect, Layer } from "effect"
import { send } from "./conformance/Replay.ts"

export const emptyCluster = KubernetesServer.layerTest.pipe(
  Layer.provide(KubernetesServer.layerNoLogs),
  Layer.provideMerge(NodeHttpClient.layerUndici)
)

export const ask = Effect.fnUntraced(function* (
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {}
) {
  const contentType = method === "PATCH" ? "application/apply-patch+yaml" : "application/json"
  const response = yield* send({ method, path, headers: { "content-type": contentType, ...headers }, body })
  const answer: unknown = yield* response.json
  return {
    status: response.status,
    warning: response.headers["warning"],
    body: isObject(answer) ? answer : ({} satisfies JsonObject)
  }
})

/** In a namespace `demo`, with labels. */
export const inNamespace = <A, E, R>(
  use: Effect.Effect<A, E, R>,
  labels: Readonly<Record<string, string>> = {}
) =>
  ask("POST", "/api/v1/namespaces", {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "demo", labels }
  }).pipe(Effect.andThen(use), Effect.provide(emptyCluster))

/** The rows of `kubectl get`, by column. */
export const table = Effect.fnUntraced(function* (path: string) {
  const { body } = yield* ask("GET", path, undefined, {
    accept: "application/json;as=Table;v=v1;g=meta.k8s.io"
  })
  const names = objectsAt(body, "columnDefinitions").map(({ name }) => String(name))
  return objectsAt(body, "rows").map(({ cells }) =>
    Object.fromEntries(names.map((name, index) => [name, Array.isArray(cells) ? cells[index] : undefined]))
  )
})
