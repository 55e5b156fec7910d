/** gateway.networking.k8s.io/v1 GatewayClass, Gateway and HTTPRoute, as far as the local gateway implements them. */
import * as Schema from "effect/Schema"
import { defaulted, opaque } from "./FieldSchemas.ts"
import { LabelSelector } from "./LabelSelector.ts"
import { ObjectMetadata } from "./ObjectMetadata.ts"

export const GatewayClassObject = Schema.Struct({
  metadata: ObjectMetadata,
  spec: Schema.Struct({ controllerName: Schema.String })
})
export type GatewayClassObject = typeof GatewayClassObject.Type

const Listener = Schema.Struct({
  name: Schema.String,
  hostname: Schema.optionalKey(Schema.String),
  port: Schema.Int,
  protocol: Schema.String,
  allowedRoutes: defaulted(
    Schema.Struct({
      namespaces: defaulted(
        Schema.Struct({
          from: defaulted(Schema.String, "Same"),
          selector: Schema.optionalKey(LabelSelector)
        }),
        {}
      )
    }),
    {}
  )
})
export type Listener = typeof Listener.Type

export const GatewayObject = Schema.Struct({
  metadata: ObjectMetadata,
  spec: Schema.Struct({ gatewayClassName: Schema.String, listeners: Schema.Array(Listener) })
})
export type GatewayObject = typeof GatewayObject.Type

const ValueMatch = Schema.Struct({
  type: defaulted(Schema.String, "Exact"),
  name: Schema.String,
  value: Schema.String
})

const RouteMatch = Schema.Struct({
  path: defaulted(
    Schema.Struct({ type: defaulted(Schema.String, "PathPrefix"), value: defaulted(Schema.String, "/") }),
    {}
  ),
  headers: defaulted(Schema.Array(ValueMatch), []),
  queryParams: defaulted(Schema.Array(ValueMatch), []),
  method: Schema.optionalKey(Schema.String)
})
export type RouteMatch = typeof RouteMatch.Type

export const BackendReference = Schema.Struct({
  group: defaulted(Schema.String, ""),
  kind: defaulted(Schema.String, "Service"),
  name: Schema.String,
  namespace: Schema.optionalKey(Schema.String),
  port: Schema.optionalKey(Schema.Int),
  weight: defaulted(Schema.Int, 1),
  filters: defaulted(Schema.Array(opaque), [])
})
export type BackendReference = typeof BackendReference.Type

export const ParentReference = Schema.Struct({
  group: defaulted(Schema.String, "gateway.networking.k8s.io"),
  kind: defaulted(Schema.String, "Gateway"),
  namespace: Schema.optionalKey(Schema.String),
  name: Schema.String,
  sectionName: Schema.optionalKey(Schema.String),
  port: Schema.optionalKey(Schema.Int)
})
export type ParentReference = typeof ParentReference.Type

export const RouteObject = Schema.Struct({
  metadata: ObjectMetadata,
  spec: Schema.Struct({
    parentRefs: defaulted(Schema.Array(ParentReference), []),
    hostnames: defaulted(Schema.Array(Schema.String), []),
    rules: defaulted(
      Schema.Array(
        Schema.Struct({
          matches: defaulted(Schema.Array(RouteMatch), [{}]),
          filters: defaulted(Schema.Array(Schema.Struct({ type: Schema.String })), []),
          backendRefs: defaulted(Schema.Array(BackendReference), [])
        })
      ),
      []
    )
  }),
  status: defaulted(Schema.Struct({ parents: defaulted(Schema.Array(opaque), []) }), {})
})
export type RouteObject = typeof RouteObject.Type
