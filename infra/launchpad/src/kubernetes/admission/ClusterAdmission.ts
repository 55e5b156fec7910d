/** What the rest of a namespace has to say about an object in it: limits, Pod Security, quotas. Reads the store, writes nothing. */
import * as Result from "effect/Result"
import type { ApiStatus } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import type { JsonObject } from "../JsonValue.ts"
import type { ResourceType } from "../kinds/ResourceType.ts"
import { at } from "../kinds/TableColumn.ts"
import type { ObjectStore } from "../ObjectStore.ts"
import * as Statuses from "../Statuses.ts"
import * as LimitRanges from "./LimitRanges.ts"
import * as PodSecurity from "./PodSecurity.ts"
import * as QuotaCheck from "./QuotaCheck.ts"

type Store = ObjectStore["Service"]

export interface Reviewed {
  readonly warnings: ReadonlyArray<string>
  /** Quotas with what they hold once the object is there. */
  readonly charged: ReadonlyArray<KubernetesObject>
}

const of = (store: Store, resource: string, namespace: string): ReadonlyArray<KubernetesObject> =>
  store.list(resource).objects.filter((object) => object.metadata.namespace === namespace)

/** A new pod gets what its namespace's LimitRanges give. */
export const complete = (
  store: Store,
  type: ResourceType,
  namespace: string | undefined,
  object: JsonObject
): JsonObject =>
  type.kind === "Pod" && namespace !== undefined
    ? LimitRanges.withDefaults(object, of(store, "limitranges", namespace))
    : object

/** Where kinds that make pods keep the spec of them. */
const templates: Readonly<Record<string, ReadonlyArray<string>>> = {
  Deployment: ["spec", "template", "spec"],
  ReplicaSet: ["spec", "template", "spec"],
  Job: ["spec", "template", "spec"],
  CronJob: ["spec", "jobTemplate", "spec", "template", "spec"]
}

/** Warnings about a template, at every write of it. */
export const warnings = (
  store: Store,
  type: ResourceType,
  namespace: string | undefined,
  object: KubernetesObject
): ReadonlyArray<string> => {
  const path = templates[type.kind]
  const home = namespace === undefined ? undefined : store.get("namespaces", namespace)
  if (path === undefined || home === undefined) return []
  const warning = PodSecurity.warning(home, at(object, ...path))
  return warning === undefined ? [] : [warning]
}

const podComplaint = (store: Store, namespace: string, pod: KubernetesObject): string | undefined => {
  const complaints = LimitRanges.complaints(pod, of(store, "limitranges", namespace))
  if (complaints.length > 0) {
    return complaints.length === 1 ? complaints[0] : `[${complaints.join(", ")}]`
  }
  const home = store.get("namespaces", namespace)
  return home === undefined ? undefined : PodSecurity.refusal(home, pod["spec"])
}

/** Of a new object. @errors ApiStatus 403 in Kubernetes' words */
export const review = (
  store: Store,
  type: ResourceType,
  namespace: string | undefined,
  object: KubernetesObject
): Result.Result<Reviewed, ApiStatus> => {
  if (namespace === undefined) return Result.succeed({ warnings: [], charged: [] })
  const forbidden = (reason: string) => Statuses.forbidden(type, object.metadata.name, reason)
  const complaint = type.kind === "Pod" ? podComplaint(store, namespace, object) : undefined
  if (complaint !== undefined) return Result.fail(forbidden(complaint))
  const charges = of(store, "resourcequotas", namespace).map((quota) =>
    QuotaCheck.charge(type, object, quota)
  )
  return Result.map(Result.mapError(Result.all(charges), forbidden), (all) => ({
    warnings: warnings(store, type, namespace, object),
    charged: all.filter((quota) => quota !== undefined)
  }))
}
