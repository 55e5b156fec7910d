/** HTTPRoutes of the local cluster, served on one address. Follows the cluster's objects; see README. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Controller from "../controllers/Controller.ts"
import { namespaceLabels, servedGateways } from "../controllers/GatewayController.ts"
import { RouteObject } from "../controllers/objects/GatewayObjects.ts"
import { keyOf } from "../controllers/objects/NamespacedKey.ts"
import { EndpointSliceObject, serviceNameLabel, ServiceObject } from "../controllers/objects/ServiceObject.ts"
import { ClusterObjects } from "../kubernetes/ClusterObjects.ts"
import { TrafficDrain } from "../runtime/TrafficDrain.ts"
import { withdraw, type EndpointTable } from "./EndpointTable.ts"
import * as Proxy from "./Proxy.ts"
import type { GatewayAddress } from "./ProxyServer.ts"
import { compileRoutes, type RouteTable } from "./RouteTable.ts"

export class Gateway extends Context.Service<Gateway, { readonly address: GatewayAddress }>()(
  "@starform/launchpad/gateway/Gateway"
) {}

const routes = "gateway.networking.k8s.io/httproutes"
const slices = "discovery.k8s.io/endpointslices"

/** Whatever says where requests go; a change of any of them compiles the routes again. */
const routeSources = [
  routes,
  "gateway.networking.k8s.io/gateways",
  "gateway.networking.k8s.io/gatewayclasses",
  "namespaces"
]

const followRoutes = Effect.fnUntraced(function* (publish: (table: RouteTable) => void) {
  const objects = yield* ClusterObjects
  const dirty = yield* Queue.sliding<void>(1)
  const compile = Effect.gen(function* () {
    const gateways = yield* servedGateways()
    const all = yield* Controller.readAll(RouteObject, routes)
    const namespaces = yield* namespaceLabels()
    yield* Effect.sync(() => publish(compileRoutes(gateways, all, namespaces)))
  })
  const lasting = Effect.catch(compile, (error) => Effect.logError("routes cannot be compiled", error))
  for (const resource of routeSources) {
    yield* Effect.forkScoped(
      Stream.runForEach(objects.changes(resource), () => Queue.offer(dirty, undefined))
    )
  }
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Queue.take(dirty), lasting)))
})

const followEndpoints = Effect.fnUntraced(function* (table: EndpointTable) {
  const objects = yield* ClusterObjects
  const services = new Map<string, ServiceObject>()
  const slicesOf = new Map<string, Map<string, EndpointSliceObject>>()

  const publish = (key: string) =>
    Effect.sync(() => {
      const service = services.get(key)
      if (service === undefined) {
        table.removeService(key)
      } else {
        table.setService(key, service, [...(slicesOf.get(key)?.values() ?? [])])
      }
    })
  const understood = <E>(effect: Effect.Effect<void, E>) =>
    Effect.catch(effect, (error) => Effect.logError("endpoints cannot be understood", error))

  yield* Effect.forkScoped(
    Stream.runForEach(objects.changes("services"), ({ object, type }) =>
      understood(
        Effect.gen(function* () {
          const key = keyOf(object)
          if (type === "DELETED") {
            services.delete(key)
          } else {
            services.set(key, yield* Schema.decodeUnknownEffect(ServiceObject)(object))
          }
          yield* publish(key)
        })
      )
    )
  )
  yield* Effect.forkScoped(
    Stream.runForEach(objects.changes(slices), ({ object, type }) =>
      understood(
        Effect.gen(function* () {
          const service = object.metadata.labels?.[serviceNameLabel]
          if (service === undefined) {
            return
          }
          const key = `${object.metadata.namespace ?? ""}/${service}`
          const known = slicesOf.get(key) ?? new Map<string, EndpointSliceObject>()
          if (type === "DELETED") {
            known.delete(object.metadata.name)
          } else {
            known.set(object.metadata.name, yield* Schema.decodeEffect(EndpointSliceObject)(object))
          }
          if (known.size === 0) {
            slicesOf.delete(key)
          } else {
            slicesOf.set(key, known)
          }
          yield* publish(key)
        })
      )
    )
  )
})

const make = Effect.gen(function* () {
  const proxy = yield* Proxy.make
  yield* followRoutes(proxy.setRoutes)
  yield* followEndpoints(proxy.endpoints)
  return Context.make(Gateway, { address: proxy.address }).pipe(
    Context.add(TrafficDrain, {
      withdraw: (endpoints) => withdraw(proxy.endpoints, endpoints),
      release: (endpoints) => Effect.sync(() => proxy.endpoints.release(endpoints))
    })
  )
})

/** Provides `Gateway` and `TrafficDrain`; needs `ClusterObjects`, `ControllersConfig` and `GatewayConfig`. */
export const layerNoDeps = Layer.effectContext(make)
