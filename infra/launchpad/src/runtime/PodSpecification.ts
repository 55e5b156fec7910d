/** core/v1 Pod as the runtime reads it: what to run, how to ask whether it lives, and how to end it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { defaulted, intOrString } from "../controllers/objects/FieldSchemas.ts"
import { ObjectCondition } from "../controllers/objects/ObjectCondition.ts"
import { ObjectMetadata } from "../controllers/objects/ObjectMetadata.ts"

const HttpGet = Schema.Struct({
  path: defaulted(Schema.String, "/"),
  port: intOrString,
  host: defaulted(Schema.String, ""),
  scheme: defaulted(Schema.String, "HTTP"),
  httpHeaders: defaulted(
    Schema.Array(Schema.Struct({ name: Schema.String, value: defaulted(Schema.String, "") })),
    []
  )
})

const ExecAction = Schema.Struct({ command: defaulted(Schema.Array(Schema.String), []) })

/** Times in seconds; defaults are Kubernetes'. */
export const ProbeSpecification = Schema.Struct({
  httpGet: Schema.optionalKey(HttpGet),
  tcpSocket: Schema.optionalKey(Schema.Struct({ port: intOrString, host: defaulted(Schema.String, "") })),
  exec: Schema.optionalKey(ExecAction),
  initialDelaySeconds: defaulted(Schema.Int, 0),
  periodSeconds: defaulted(Schema.Int, 10),
  timeoutSeconds: defaulted(Schema.Int, 1),
  successThreshold: defaulted(Schema.Int, 1),
  failureThreshold: defaulted(Schema.Int, 3),
  terminationGracePeriodSeconds: Schema.optionalKey(Schema.Int)
})
export type ProbeSpecification = typeof ProbeSpecification.Type

const KeyReference = Schema.Struct({
  name: defaulted(Schema.String, ""),
  key: Schema.String,
  optional: defaulted(Schema.Boolean, false)
})

const NameReference = Schema.Struct({
  name: defaulted(Schema.String, ""),
  optional: defaulted(Schema.Boolean, false)
})

export const EnvironmentVariable = Schema.Struct({
  name: Schema.String,
  value: defaulted(Schema.String, ""),
  valueFrom: Schema.optionalKey(
    Schema.Struct({
      secretKeyRef: Schema.optionalKey(KeyReference),
      configMapKeyRef: Schema.optionalKey(KeyReference),
      fieldRef: Schema.optionalKey(Schema.Struct({ fieldPath: Schema.String }))
    })
  )
})
export type EnvironmentVariable = typeof EnvironmentVariable.Type

const LifecycleHandler = Schema.Struct({
  sleep: Schema.optionalKey(Schema.Struct({ seconds: Schema.Int })),
  exec: Schema.optionalKey(ExecAction),
  httpGet: Schema.optionalKey(HttpGet)
})
export type LifecycleHandler = typeof LifecycleHandler.Type

export const ContainerSpecification = Schema.Struct({
  name: Schema.String,
  image: Schema.String,
  command: Schema.optionalKey(Schema.Array(Schema.String)),
  args: Schema.optionalKey(Schema.Array(Schema.String)),
  workingDir: Schema.optionalKey(Schema.String),
  ports: defaulted(
    Schema.Array(
      Schema.Struct({
        name: Schema.optionalKey(Schema.String),
        containerPort: Schema.Int,
        protocol: defaulted(Schema.String, "TCP")
      })
    ),
    []
  ),
  env: defaulted(Schema.Array(EnvironmentVariable), []),
  envFrom: defaulted(
    Schema.Array(
      Schema.Struct({
        prefix: defaulted(Schema.String, ""),
        configMapRef: Schema.optionalKey(NameReference),
        secretRef: Schema.optionalKey(NameReference)
      })
    ),
    []
  ),
  resources: defaulted(
    Schema.Struct({
      limits: defaulted(Schema.Record(Schema.String, intOrString), {}),
      requests: defaulted(Schema.Record(Schema.String, intOrString), {})
    }),
    {}
  ),
  startupProbe: Schema.optionalKey(ProbeSpecification),
  readinessProbe: Schema.optionalKey(ProbeSpecification),
  livenessProbe: Schema.optionalKey(ProbeSpecification),
  lifecycle: Schema.optionalKey(Schema.Struct({ preStop: Schema.optionalKey(LifecycleHandler) }))
})
export type ContainerSpecification = typeof ContainerSpecification.Type

const Terminated = Schema.Struct({
  exitCode: Schema.Int,
  signal: Schema.optionalKey(Schema.Int),
  reason: defaulted(Schema.String, ""),
  message: Schema.optionalKey(Schema.String),
  startedAt: Schema.optionalKey(Schema.NullOr(Schema.String)),
  finishedAt: Schema.optionalKey(Schema.NullOr(Schema.String)),
  containerID: Schema.optionalKey(Schema.String)
})

export const RecordedContainerStatus = Schema.Struct({
  name: Schema.String,
  restartCount: defaulted(Schema.Int, 0),
  containerID: Schema.optionalKey(Schema.String),
  state: defaulted(
    Schema.Struct({
      running: Schema.optionalKey(
        Schema.Struct({ startedAt: Schema.optionalKey(Schema.NullOr(Schema.String)) })
      ),
      terminated: Schema.optionalKey(Terminated)
    }),
    {}
  ),
  lastState: defaulted(Schema.Struct({ terminated: Schema.optionalKey(Terminated) }), {})
})
export type RecordedContainerStatus = typeof RecordedContainerStatus.Type

export const PodSpecification = Schema.Struct({
  metadata: ObjectMetadata,
  spec: Schema.Struct({
    nodeName: defaulted(Schema.String, ""),
    serviceAccountName: defaulted(Schema.String, "default"),
    restartPolicy: defaulted(Schema.Literals(["Always", "OnFailure", "Never"]), "Always"),
    terminationGracePeriodSeconds: defaulted(Schema.Int, 30),
    initContainers: defaulted(Schema.Array(ContainerSpecification), []),
    containers: Schema.Array(ContainerSpecification)
  }),
  status: defaulted(
    Schema.Struct({
      phase: defaulted(Schema.String, "Pending"),
      startTime: Schema.optionalKey(Schema.String),
      conditions: defaulted(Schema.Array(ObjectCondition), []),
      initContainerStatuses: defaulted(Schema.Array(RecordedContainerStatus), []),
      containerStatuses: defaulted(Schema.Array(RecordedContainerStatus), [])
    }),
    {}
  )
})
export type PodSpecification = typeof PodSpecification.Type

const decodeStatus = Schema.decodeUnknownEffect(PodSpecification.fields.status)

/** The pod as it is after its status was written; times of conditions are carried on from there. */
export const withStatus = (
  pod: PodSpecification,
  status: Readonly<Record<string, unknown>>
): Effect.Effect<PodSpecification> =>
  Effect.orDie(Effect.map(decodeStatus(status), (decoded) => ({ ...pod, status: decoded })))
