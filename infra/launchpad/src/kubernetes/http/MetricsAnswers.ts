/** `metrics.k8s.io/v1beta1`: what pods and the node use, for `kubectl top`. Read only. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Result from "effect/Result"
import type { ApiStatus } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { node } from "../kinds/NodeKinds.ts"
import { pod } from "../kinds/PodKind.ts"
import type { ResourceType } from "../kinds/ResourceType.ts"
import type { ObjectStore } from "../ObjectStore.ts"
import type { PodMetricsShape, PodUse } from "../PodMetrics.ts"
import * as Statuses from "../Statuses.ts"
import { failure, json } from "./Answers.ts"
import * as ListRequest from "./ListRequest.ts"

export const group = "metrics.k8s.io"

const apiVersion = `${group}/v1beta1`

const root = `/apis/${apiVersion}`

const version = { groupVersion: apiVersion, version: "v1beta1" }

export const apiGroup = { name: group, versions: [version], preferredVersion: version }

const kinds = [
  { name: "nodes", kind: "NodeMetrics", namespaced: false },
  { name: "pods", kind: "PodMetrics", namespaced: true }
]

const verbs = ["get", "list"]

export const apiResourceList = {
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion: apiVersion,
  resources: kinds.map((kind) => ({ ...kind, singularName: "", verbs }))
}

export const aggregated = {
  metadata: { name: group },
  versions: [
    {
      version: "v1beta1",
      resources: kinds.map(({ name, kind, namespaced }) => ({
        resource: name,
        responseKind: { group: "", version: "", kind },
        scope: namespaced ? "Namespaced" : "Cluster",
        singularResource: "",
        verbs
      })),
      freshness: "Current"
    }
  ]
}

const usage = (cpuNanos: number, memoryBytes: number) => ({
  cpu: `${Math.round(cpuNanos)}n`,
  memory: `${Math.round(memoryBytes / 1024)}Ki`
})

const times = ({ atMs, windowMs }: Pick<PodUse, "atMs" | "windowMs">) => ({
  timestamp: `${DateTime.formatIso(DateTime.makeUnsafe(atMs)).slice(0, 19)}Z`,
  window: `${windowMs / 1000}s`
})

const metadataOf = ({ metadata }: KubernetesObject, use: PodUse) => ({
  name: metadata.name,
  ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
  creationTimestamp: times(use).timestamp,
  ...(metadata.labels === undefined ? {} : { labels: metadata.labels })
})

const podMetrics = (object: KubernetesObject, use: PodUse) => ({
  metadata: metadataOf(object, use),
  ...times(use),
  containers: use.containers.map(({ name, cpuNanos, memoryBytes }) => ({
    name,
    usage: usage(cpuNanos, memoryBytes)
  }))
})

/** The node uses what its pods use. */
const nodeMetrics = (object: KubernetesObject, uses: ReadonlyArray<PodUse>) => {
  const containers = uses.flatMap((use) => use.containers)
  const [first] = uses
  const sum = (key: "cpuNanos" | "memoryBytes") => containers.reduce((total, one) => total + one[key], 0)
  return first === undefined
    ? []
    : [
        {
          metadata: metadataOf(object, first),
          ...times(first),
          usage: usage(sum("cpuNanos"), sum("memoryBytes"))
        }
      ]
}

interface Target {
  readonly type: ResourceType
  readonly namespace: string | undefined
  readonly name: string | undefined
}

const targetOf = (path: string): Target | undefined => {
  const parts = path
    .slice(root.length)
    .split("/")
    .filter((part) => part !== "")
  if (parts[0] === "nodes" && parts.length <= 2) return { type: node, namespace: undefined, name: parts[1] }
  if (parts[0] === "pods" && parts.length === 1) return { type: pod, namespace: undefined, name: undefined }
  return parts[0] === "namespaces" && parts[2] === "pods" && parts.length <= 4
    ? { type: pod, namespace: parts[1], name: parts[3] }
    : undefined
}

/** Of an object that is not there, and of one that was not measured, in metrics-server's words. */
const missing = ({ type, namespace }: Target, name: string, isThere: boolean): ApiStatus => {
  if (!isThere) return Statuses.notFound(type, name)
  const plural = `${type.kind.toLowerCase()}metrics`
  return Statuses.notFound(
    { ...type, group, plural },
    namespace === undefined ? name : `${namespace}/${name}`
  )
}

/** A list's items do not say what they are. */
const answer = (
  store: ObjectStore["Service"],
  target: Target,
  query: URLSearchParams,
  uses: ReadonlyArray<PodUse>
): Result.Result<unknown, ApiStatus> => {
  const { type, namespace, name } = target
  return Result.flatMap(ListRequest.selection(type, namespace, query), (isSelected) => {
    const objects = store
      .list(type.resource)
      .objects.filter((object) => isSelected(object) && (name === undefined || object.metadata.name === name))
    const items = objects.flatMap((object): ReadonlyArray<object> => {
      if (type.kind === "Node") return nodeMetrics(object, uses)
      const use = uses.find(
        (one) => one.name === object.metadata.name && one.namespace === object.metadata.namespace
      )
      return use === undefined ? [] : [podMetrics(object, use)]
    })
    const kind = `${type.kind}Metrics`
    if (name === undefined) {
      return Result.succeed({ kind: `${kind}List`, apiVersion, metadata: {}, items })
    }
    const [item] = items
    return item === undefined
      ? Result.fail(missing(target, name, objects.length > 0))
      : Result.succeed({ kind, apiVersion, ...item })
  })
}

/** `undefined` for a path of something else. */
export const handle = (
  store: ObjectStore["Service"],
  metrics: PodMetricsShape,
  request: HttpServerRequest.HttpServerRequest,
  path: string,
  query: URLSearchParams
): Effect.Effect<HttpServerResponse.HttpServerResponse> | undefined => {
  if (!metrics.isServed || !path.startsWith(`${root}/`)) return undefined
  const target = targetOf(path)
  if (target === undefined) return Effect.succeed(failure(Statuses.unknownPath()))
  if (request.method !== "GET") return Effect.succeed(failure(Statuses.methodNotAllowed()))
  return Effect.map(metrics.all, (uses) =>
    Result.match(answer(store, target, query, uses), { onFailure: failure, onSuccess: (body) => json(body) })
  )
}
