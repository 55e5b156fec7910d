/** The process that a service of type `cron` runs → its CronJob. Pure. */
import type { DesiredApp, DesiredProcess, DesiredSchedule } from "@starform/domain/desired/DesiredState"
import type { V1CronJob } from "@kubernetes/client-node"
import * as Duration from "effect/Duration"
import type { Manifest } from "../kubernetes/Manifest.ts"
import { withDesiredHash } from "./internal/desiredHash.ts"
import type { ManifestSettings } from "./ManifestSettings.ts"
import { cronJobName } from "./ObjectNames.ts"
import { podSpec, workloadAnnotations, workloadLabels } from "./PodSpec.ts"
import { templateAnnotations } from "./ShuttleAnnotations.ts"

const policies = { allow: "Allow", forbid: "Forbid", replace: "Replace" } as const

const runsKept = 3

/**
 * A run that fails is not repeated: the next one is due anyway, and only the app knows whether half a run may be done
 * again. No copies wanted means that no run begins.
 */
export const cronJobManifest = (
  app: DesiredApp,
  process: DesiredProcess,
  schedule: DesiredSchedule,
  settings: ManifestSettings
): Manifest => {
  const labels = workloadLabels(app, process, settings)
  const annotations = { ...templateAnnotations(app, process) }
  return withDesiredHash({
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: {
      name: cronJobName(app, process.name),
      namespace: app.namespace,
      labels,
      annotations: workloadAnnotations(app)
    },
    spec: {
      schedule: schedule.expression,
      ...(schedule.timeZone === null ? {} : { timeZone: schedule.timeZone }),
      concurrencyPolicy: policies[schedule.concurrency],
      startingDeadlineSeconds: Math.ceil(Duration.toSeconds(settings.cronStartingDeadline)),
      suspend: process.replicas === 0,
      successfulJobsHistoryLimit: runsKept,
      failedJobsHistoryLimit: runsKept,
      jobTemplate: {
        metadata: { labels, annotations },
        spec: {
          backoffLimit: 0,
          activeDeadlineSeconds: Math.ceil(Duration.toSeconds(settings.cronDeadline)),
          template: {
            metadata: { labels, annotations },
            spec: { ...podSpec(app, process, settings), restartPolicy: "Never" }
          }
        }
      }
    }
  } satisfies Manifest & V1CronJob)
}
