/** batch/v1 Job and CronJob as their controllers read them. */
import * as Schema from "effect/Schema"
import { defaulted, opaque, strings } from "./FieldSchemas.ts"
import { ObjectCondition } from "./ObjectCondition.ts"
import { ObjectMetadata } from "./ObjectMetadata.ts"

const Uids = defaulted(Schema.Array(Schema.String), [])

export const JobStatus = Schema.Struct({
  conditions: defaulted(Schema.Array(ObjectCondition), []),
  startTime: Schema.optionalKey(Schema.String),
  completionTime: Schema.optionalKey(Schema.String),
  succeeded: defaulted(Schema.Int, 0),
  failed: defaulted(Schema.Int, 0),
  /** Pods whose end is written down here before it is counted, so that none is counted twice or never. */
  uncountedTerminatedPods: defaulted(Schema.Struct({ succeeded: Uids, failed: Uids }), {})
})
export type JobStatus = typeof JobStatus.Type

/** Times in seconds. */
export const JobObject = Schema.Struct({
  metadata: ObjectMetadata,
  spec: Schema.Struct({
    parallelism: defaulted(Schema.Int, 1),
    completions: Schema.optionalKey(Schema.Int),
    backoffLimit: defaulted(Schema.Int, 6),
    activeDeadlineSeconds: Schema.optionalKey(Schema.Int),
    ttlSecondsAfterFinished: Schema.optionalKey(Schema.Int),
    suspend: defaulted(Schema.Boolean, false),
    podReplacementPolicy: defaulted(Schema.String, "TerminatingOrFailed"),
    template: defaulted(
      Schema.Struct({
        metadata: defaulted(
          Schema.Struct({ labels: defaulted(strings, {}), annotations: defaulted(strings, {}) }),
          {}
        ),
        spec: defaulted(opaque, {})
      }),
      {}
    )
  }),
  status: defaulted(JobStatus, {})
})
export type JobObject = typeof JobObject.Type

const JobReference = Schema.Struct({
  apiVersion: defaulted(Schema.String, ""),
  kind: defaulted(Schema.String, ""),
  namespace: defaulted(Schema.String, ""),
  name: defaulted(Schema.String, ""),
  uid: defaulted(Schema.String, ""),
  resourceVersion: defaulted(Schema.String, "")
})

export const CronJobStatus = Schema.Struct({
  active: defaulted(Schema.Array(JobReference), []),
  lastScheduleTime: Schema.optionalKey(Schema.String),
  lastSuccessfulTime: Schema.optionalKey(Schema.String)
})
export type CronJobStatus = typeof CronJobStatus.Type

export const CronJobObject = Schema.Struct({
  metadata: ObjectMetadata,
  spec: Schema.Struct({
    schedule: Schema.String,
    timeZone: Schema.optionalKey(Schema.String),
    concurrencyPolicy: defaulted(Schema.Literals(["Allow", "Forbid", "Replace"]), "Allow"),
    startingDeadlineSeconds: Schema.optionalKey(Schema.Int),
    suspend: defaulted(Schema.Boolean, false),
    successfulJobsHistoryLimit: defaulted(Schema.Int, 3),
    failedJobsHistoryLimit: defaulted(Schema.Int, 1),
    jobTemplate: defaulted(
      Schema.Struct({
        metadata: defaulted(
          Schema.Struct({ labels: defaulted(strings, {}), annotations: defaulted(strings, {}) }),
          {}
        ),
        spec: defaulted(opaque, {})
      }),
      {}
    )
  }),
  status: defaulted(CronJobStatus, {})
})
export type CronJobObject = typeof CronJobObject.Type
