/** Wiring of `EndpointSlicePlan`: keeps a Service's slices as planned and removes those that no pod needs. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ClusterObjects, type KubernetesObject } from "../kubernetes/ClusterObjects.ts"
import * as Controller from "./Controller.ts"
import { managedBy, managedByLabel, planEndpointSlices, type PlannedSlice } from "./EndpointSlicePlan.ts"
import { converged } from "./KeyedLoop.ts"
import { sameJson } from "./objects/CanonicalJson.ts"
import { matches } from "./objects/LabelSelector.ts"
import { keyOf, objectKey } from "./objects/NamespacedKey.ts"
import { PodObject } from "./objects/PodObject.ts"
import { serviceNameLabel, ServiceObject } from "./objects/ServiceObject.ts"

const slices = "discovery.k8s.io/endpointslices"

/** Runs the controller until the scope closes. */
export const start = Effect.gen(function* () {
  const objects = yield* ClusterObjects

  const write = Effect.fnUntraced(function* (namespace: string, slice: PlannedSlice) {
    const { endpoints, ports } = slice.object
    const existing = yield* objects.modify({ resource: slices, namespace, name: slice.name }, (object) =>
      sameJson(object["endpoints"], endpoints) && sameJson(object["ports"], ports)
        ? undefined
        : { ...object, endpoints, ports }
    )
    if (Option.isNone(existing)) {
      yield* objects.create(slices, slice.object)
    }
  })

  const reconcile = Effect.fn("EndpointSliceController.reconcile")(function* (key: string) {
    const found = yield* Controller.read(ServiceObject, objectKey("services", key))
    if (Option.isNone(found)) {
      return converged
    }
    const { name, namespace } = found.value.metadata
    const pods = yield* Controller.readAll(PodObject, "pods", { namespace })
    const planned = planEndpointSlices(found.value, pods)
    yield* Effect.forEach(planned, (slice) => write(namespace, slice), { discard: true })
    const wanted = new Set(planned.map((slice) => slice.name))
    const existing = yield* objects.list(slices, {
      namespace,
      labelSelector: `${serviceNameLabel}=${name},${managedByLabel}=${managedBy}`
    })
    for (const { metadata } of existing) {
      if (!wanted.has(metadata.name)) {
        yield* objects.remove({ resource: slices, namespace, name: metadata.name }, { uid: metadata.uid })
      }
    }
    return converged
  })

  /** Services that select the pod; a pod that has lost its labels is caught by the resync. */
  const servicesOf = Effect.fnUntraced(function* (pod: KubernetesObject) {
    const services = yield* objects.list("services", { namespace: pod.metadata.namespace ?? "" })
    return services
      .filter((service) => {
        const decoded = Schema.decodeUnknownOption(ServiceObject)(service)
        const selector = Option.isSome(decoded) ? decoded.value.spec.selector : undefined
        return (
          selector !== undefined &&
          matches({ matchLabels: selector, matchExpressions: [] }, pod.metadata.labels ?? {})
        )
      })
      .map(keyOf)
  })

  yield* Controller.run({
    name: "endpointslice",
    resource: "services",
    triggers: [
      { resource: "pods", keys: servicesOf },
      {
        resource: slices,
        keys: (slice) => {
          const service = slice.metadata.labels?.[serviceNameLabel]
          return Effect.succeed(service === undefined ? [] : [`${slice.metadata.namespace ?? ""}/${service}`])
        }
      }
    ],
    reconcile
  })
})
