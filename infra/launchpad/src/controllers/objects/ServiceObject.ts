/** core/v1 Service and discovery.k8s.io/v1 EndpointSlice as controllers and the gateway read them. */
import * as Schema from "effect/Schema"
import { defaulted, intOrString, strings } from "./FieldSchemas.ts"
import { ObjectMetadata } from "./ObjectMetadata.ts"

export const ServicePort = Schema.Struct({
  name: defaulted(Schema.String, ""),
  protocol: defaulted(Schema.String, "TCP"),
  port: Schema.Int,
  targetPort: Schema.optionalKey(intOrString),
  appProtocol: Schema.optionalKey(Schema.String)
})
export type ServicePort = typeof ServicePort.Type

export const ServiceObject = Schema.Struct({
  metadata: ObjectMetadata,
  spec: Schema.Struct({
    selector: Schema.optionalKey(strings),
    ports: defaulted(Schema.Array(ServicePort), []),
    publishNotReadyAddresses: defaulted(Schema.Boolean, false)
  })
})
export type ServiceObject = typeof ServiceObject.Type

export const EndpointSliceObject = Schema.Struct({
  metadata: ObjectMetadata,
  endpoints: defaulted(
    Schema.Array(
      Schema.Struct({
        addresses: Schema.Array(Schema.String),
        conditions: defaulted(
          Schema.Struct({
            ready: defaulted(Schema.Boolean, true),
            serving: defaulted(Schema.Boolean, true),
            terminating: defaulted(Schema.Boolean, false)
          }),
          {}
        )
      })
    ),
    []
  ),
  ports: defaulted(Schema.Array(Schema.Struct({ name: defaulted(Schema.String, ""), port: Schema.Int })), [])
})
export type EndpointSliceObject = typeof EndpointSliceObject.Type

/** Label of a slice that names its Service. */
export const serviceNameLabel = "kubernetes.io/service-name"
