/** The `scale` subresource of workloads. Pure but for the store that it writes to. */
import * as Result from "effect/Result"
import type { ApiStatus } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { isObject, type JsonObject } from "../JsonValue.ts"
import { selectorText } from "../kinds/TableColumn.ts"
import * as ObjectOperations from "../ObjectOperations.ts"
import type { ObjectStore } from "../ObjectStore.ts"
import * as Statuses from "../Statuses.ts"

const field = (object: KubernetesObject, part: "spec" | "status", key: string): unknown => {
  const value = object[part]
  return isObject(value) ? value[key] : undefined
}

export const of = (object: KubernetesObject) => {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: field(object, "spec", "replicas") ?? 0 },
    status: {
      replicas: field(object, "status", "replicas") ?? 0,
      selector: selectorText(field(object, "spec", "selector"))
    }
  }
}

export const write = (
  store: ObjectStore["Service"],
  place: ObjectOperations.Place,
  change: (before: JsonObject) => unknown,
  options: ObjectOperations.WriteOptions
): Result.Result<unknown, ApiStatus> =>
  Result.flatMap(ObjectOperations.get(store, place), (object): Result.Result<unknown, ApiStatus> => {
    const wanted = change(of(object))
    const spec = isObject(wanted) && isObject(wanted["spec"]) ? wanted["spec"] : {}
    const replicas = spec["replicas"] ?? 0
    if (typeof replicas !== "number" || replicas < 0) {
      const message = `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`
      return Result.fail(
        Statuses.invalid({ group: "autoscaling", kind: "Scale" }, place.name, [
          { reason: "FieldValueInvalid", message, field: "spec.replicas" }
        ])
      )
    }
    const asked = isObject(wanted) && isObject(wanted["metadata"]) ? wanted["metadata"] : {}
    const { resourceVersion = "" } = asked
    const content = {
      ...object,
      metadata: { ...object.metadata, resourceVersion },
      spec: { ...(object["spec"] as JsonObject), replicas }
    }
    return Result.map(ObjectOperations.update(store, place, content, options), (written) =>
      of(written.object)
    )
  })
