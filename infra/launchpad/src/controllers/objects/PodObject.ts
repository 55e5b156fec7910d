/** core/v1 Pod as controllers read it; the runtime reads more of it in `PodSpecification`. */
import * as Schema from "effect/Schema"
import { defaulted, intOrString } from "./FieldSchemas.ts"
import { conditionOf, ObjectCondition } from "./ObjectCondition.ts"
import { ObjectMetadata } from "./ObjectMetadata.ts"

const ContainerFacts = Schema.Struct({
  name: Schema.String,
  resources: defaulted(
    Schema.Struct({ requests: defaulted(Schema.Record(Schema.String, intOrString), {}) }),
    {}
  ),
  ports: defaulted(
    Schema.Array(Schema.Struct({ name: Schema.optionalKey(Schema.String), containerPort: Schema.Int })),
    []
  )
})

const containerState = defaulted(
  Schema.Struct({
    terminated: Schema.optionalKey(
      Schema.Struct({ finishedAt: Schema.optionalKey(Schema.NullOr(Schema.String)) })
    )
  }),
  {}
)

export const PodObject = Schema.Struct({
  metadata: ObjectMetadata,
  spec: Schema.Struct({
    nodeName: defaulted(Schema.String, ""),
    schedulerName: defaulted(Schema.String, "default-scheduler"),
    containers: Schema.Array(ContainerFacts)
  }),
  status: defaulted(
    Schema.Struct({
      phase: defaulted(Schema.String, "Pending"),
      podIP: defaulted(Schema.String, ""),
      startTime: Schema.optionalKey(Schema.String),
      conditions: defaulted(Schema.Array(ObjectCondition), []),
      containerStatuses: defaulted(
        Schema.Array(Schema.Struct({ restartCount: defaulted(Schema.Int, 0), state: containerState })),
        []
      )
    }),
    {}
  )
})
export type PodObject = typeof PodObject.Type

/** `{"3000":41234}`: container port → port on loopback. Written by the runtime. */
export const portsAnnotation = "launchpad.starform.io/ports"

const PortMapping = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Int))
const decodeMapping = Schema.decodeUnknownOption(PortMapping)

/** Container port → real port; empty until the runtime has allocated them. */
export const portMapping = (metadata: ObjectMetadata): Readonly<Record<string, number>> => {
  const decoded = decodeMapping(metadata.annotations[portsAnnotation])
  return decoded._tag === "Some" ? decoded.value : {}
}

/** Its processes are over: the pod never runs again. */
export const isFinished = (pod: PodObject): boolean =>
  pod.status.phase === "Succeeded" || pod.status.phase === "Failed"

export const isTerminating = (pod: PodObject): boolean => pod.metadata.deletionTimestamp !== undefined

export const isReady = (pod: PodObject): boolean =>
  conditionOf(pod.status.conditions, "Ready")?.status === "True"
