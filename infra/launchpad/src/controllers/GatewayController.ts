/** Status of GatewayClasses, Gateways and HTTPRoutes that the local gateway serves; creates the shared Gateway when it is missing. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ClusterObjects, type KubernetesObject } from "../kubernetes/ClusterObjects.ts"
import * as Controller from "./Controller.ts"
import { ControllersConfig } from "./ControllersConfig.ts"
import { converged } from "./KeyedLoop.ts"
import { sameJson } from "./objects/CanonicalJson.ts"
import { GatewayClassObject, GatewayObject, RouteObject } from "./objects/GatewayObjects.ts"
import { keyOf, objectKey } from "./objects/NamespacedKey.ts"
import { withField } from "./objects/ObjectFields.ts"
import { ServiceObject } from "./objects/ServiceObject.ts"
import { toTimestamp } from "./objects/Timestamp.ts"
import { acceptance, refersTo, resolution, type Verdict } from "./RouteAttachment.ts"

const classes = "gateway.networking.k8s.io/gatewayclasses"
const gateways = "gateway.networking.k8s.io/gateways"
const routes = "gateway.networking.k8s.io/httproutes"

type Json = Readonly<Record<string, unknown>>

const timeless = (condition: unknown): unknown =>
  typeof condition === "object" && condition !== null ? { ...condition, lastTransitionTime: "" } : condition

/** Conditions carry the time of their last change: an equal one keeps what is stored. */
const conditionJson = (
  previous: ReadonlyArray<unknown>,
  type: string,
  verdict: Verdict,
  generation: number,
  nowMs: number
): unknown => {
  const next = { type, ...verdict, observedGeneration: generation, lastTransitionTime: toTimestamp(nowMs) }
  const same = previous.find((one) => sameJson(timeless(one), timeless(next)))
  return same ?? next
}

const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined

const truth = (reason: string, message: string): Verdict => ({ status: "True", reason, message })

/** Creates class, namespace and gateway that routes attach to. Whoever made them before is respected. */
const bootstrap = Effect.gen(function* () {
  const objects = yield* ClusterObjects
  const { gatewayController, gatewayName, gatewayNamespace } = yield* ControllersConfig
  const ensure = (resource: string, object: Json) =>
    Effect.catchIf(
      objects.create(resource, object),
      (status) => status.reason === "AlreadyExists",
      () => Effect.void
    )
  yield* ensure("namespaces", {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: gatewayNamespace, labels: { "starform.io/namespace-role": "gateway" } }
  })
  yield* ensure(classes, {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "GatewayClass",
    metadata: { name: gatewayName },
    spec: { controllerName: gatewayController }
  })
  yield* ensure(gateways, {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name: gatewayName, namespace: gatewayNamespace },
    spec: {
      gatewayClassName: gatewayName,
      listeners: [
        { name: "http", port: 80, protocol: "HTTP", allowedRoutes: { namespaces: { from: "All" } } }
      ]
    }
  })
})

/** Gateways whose class is ours. */
export const servedGateways = Effect.fnUntraced(function* () {
  const { gatewayController } = yield* ControllersConfig
  const served = new Set(
    (yield* Controller.readAll(GatewayClassObject, classes))
      .filter((one) => one.spec.controllerName === gatewayController)
      .map((one) => one.metadata.name)
  )
  const all = yield* Controller.readAll(GatewayObject, gateways)
  return all.filter((gateway) => served.has(gateway.spec.gatewayClassName))
})

/** Labels by namespace. */
export const namespaceLabels = Effect.fnUntraced(function* () {
  const objects = yield* ClusterObjects
  const all = yield* objects.list("namespaces")
  return new Map(all.map((namespace) => [namespace.metadata.name, namespace.metadata.labels ?? {}] as const))
})

const writeStatus = Effect.fnUntraced(function* (
  resource: string,
  key: string,
  change: (object: KubernetesObject) => Json
) {
  const objects = yield* ClusterObjects
  yield* objects.modify(
    objectKey(resource, key),
    (object) => {
      const status = change(object)
      return sameJson(object["status"], status) ? undefined : withField(object, ["status"], status)
    },
    { subresource: "status" }
  )
})

const reconcileClass = Effect.fn("GatewayController.reconcileClass")(function* (key: string) {
  const { gatewayController } = yield* ControllersConfig
  const found = yield* Controller.read(GatewayClassObject, objectKey(classes, key))
  if (Option.isSome(found) && found.value.spec.controllerName === gatewayController) {
    const nowMs = yield* Controller.nowMs
    yield* writeStatus(classes, key, (object) => ({
      conditions: [
        conditionJson(
          listOf(fieldOf(object["status"], "conditions")),
          "Accepted",
          truth("Accepted", "Served by the local gateway"),
          found.value.metadata.generation,
          nowMs
        )
      ]
    }))
  }
  return converged
})

const reconcileGateway = Effect.fn("GatewayController.reconcileGateway")(function* (key: string) {
  const gateway = (yield* servedGateways()).find((one) => keyOf(one) === key)
  if (gateway === undefined) {
    return converged
  }
  const nowMs = yield* Controller.nowMs
  const namespaces = yield* namespaceLabels()
  const all = yield* Controller.readAll(RouteObject, routes)
  const generation = gateway.metadata.generation
  const attached = (name: string): number =>
    all.filter((route) =>
      route.spec.parentRefs.some(
        (parent) =>
          refersTo(parent, route, gateway) &&
          (parent.sectionName ?? name) === name &&
          acceptance(route, { ...parent, sectionName: name }, gateway, namespaces).status === "True"
      )
    ).length
  yield* writeStatus(gateways, key, (object) => {
    const before = object["status"]
    const conditions = (previous: ReadonlyArray<unknown>, names: ReadonlyArray<readonly [string, string]>) =>
      names.map(([type, message]) => conditionJson(previous, type, truth(type, message), generation, nowMs))
    return {
      addresses: [{ type: "IPAddress", value: "127.0.0.1" }],
      conditions: conditions(listOf(fieldOf(before, "conditions")), [
        ["Accepted", "The local gateway serves this Gateway"],
        ["Programmed", "The local gateway listens"]
      ]),
      listeners: gateway.spec.listeners.map((listener) => {
        const earlier = listOf(fieldOf(before, "listeners")).find(
          (one) => fieldOf(one, "name") === listener.name
        )
        return {
          name: listener.name,
          supportedKinds: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute" }],
          attachedRoutes: attached(listener.name),
          conditions: conditions(listOf(fieldOf(earlier, "conditions")), [
            ["Accepted", "Listener is accepted"],
            ["Programmed", "Listener is programmed"],
            ["ResolvedRefs", "Listener has no unresolved references"]
          ])
        }
      })
    }
  })
  return converged
})

const reconcileRoute = Effect.fn("GatewayController.reconcileRoute")(function* (key: string) {
  const { gatewayController } = yield* ControllersConfig
  const found = yield* Controller.read(RouteObject, objectKey(routes, key))
  if (Option.isNone(found)) {
    return converged
  }
  const route = found.value
  const served = yield* servedGateways()
  const namespaces = yield* namespaceLabels()
  const nowMs = yield* Controller.nowMs
  const services = new Map(
    (yield* Controller.readAll(ServiceObject, "services", { namespace: route.metadata.namespace })).map(
      (service) => [keyOf(service), service.spec.ports.map((port) => port.port)] as const
    )
  )
  yield* writeStatus(routes, key, (object) => {
    const before = listOf(fieldOf(object["status"], "parents"))
    const others = before.filter((parent) => fieldOf(parent, "controllerName") !== gatewayController)
    const ours = route.spec.parentRefs.flatMap((parent) => {
      const gateway = served.find((one) => refersTo(parent, route, one))
      if (gateway === undefined) {
        return []
      }
      const earlier = before.find(
        (one) =>
          fieldOf(one, "controllerName") === gatewayController && sameJson(fieldOf(one, "parentRef"), parent)
      )
      const previous = listOf(fieldOf(earlier, "conditions"))
      const condition = (type: string, verdict: Verdict) =>
        conditionJson(previous, type, verdict, route.metadata.generation, nowMs)
      return [
        {
          parentRef: parent,
          controllerName: gatewayController,
          conditions: [
            condition("Accepted", acceptance(route, parent, gateway, namespaces)),
            condition("ResolvedRefs", resolution(route, services))
          ]
        }
      ]
    })
    return { parents: [...others, ...ours] }
  })
  return converged
})

/** Runs the three controllers until the scope closes. */
export const start = Effect.gen(function* () {
  const objects = yield* ClusterObjects
  yield* bootstrap
  const keysOf = (resource: string) => () => Effect.map(objects.list(resource), (all) => all.map(keyOf))
  const routesOf = Effect.fnUntraced(function* (service: KubernetesObject) {
    const namespace = service.metadata.namespace ?? ""
    return (yield* objects.list(routes, { namespace })).map(keyOf)
  })
  yield* Controller.run({
    name: "gatewayclass",
    resource: classes,
    triggers: [],
    reconcile: reconcileClass
  })
  yield* Controller.run({
    name: "gateway",
    resource: gateways,
    triggers: [
      { resource: classes, keys: keysOf(gateways) },
      { resource: routes, keys: keysOf(gateways) }
    ],
    reconcile: reconcileGateway
  })
  yield* Controller.run({
    name: "httproute",
    resource: routes,
    triggers: [
      { resource: gateways, keys: keysOf(routes) },
      { resource: "services", keys: routesOf }
    ],
    reconcile: reconcileRoute
  })
})
