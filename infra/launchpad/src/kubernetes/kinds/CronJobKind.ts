/** `CronJob`: jobs by a schedule. */
import * as Result from "effect/Result"
import * as FieldRules from "../admission/FieldRules.ts"
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import * as CronSchedule from "../CronSchedule.ts"
import type { JsonObject } from "../JsonValue.ts"
import { fill, mapField } from "./internal/fill.ts"
import { podColumns } from "./internal/podColumns.ts"
import { jobSpecCauses } from "./JobKind.ts"
import { templateDefaults } from "./PodTemplate.ts"
import { define } from "./ResourceType.ts"
import { age, ageColumn, at, column, nameColumn, objectsAt, text } from "./TableColumn.ts"

const cronJobDefaults = (spec: JsonObject): JsonObject =>
  fill(
    mapField(spec, "jobTemplate", (template) => mapField(template, "spec", templateDefaults)),
    {
      concurrencyPolicy: "Allow",
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1
    }
  )

const scheduleCauses = (schedule: string): ReadonlyArray<StatusCause> => {
  const field = "spec.schedule"
  if (schedule === "") return [FieldRules.required(field)]
  const parsed = CronSchedule.parse(schedule.replace(/^(CRON_)?TZ=\S+\s+/, ""))
  return [
    ...(Result.isFailure(parsed) ? [FieldRules.invalid(field, schedule, parsed.failure)] : []),
    ...(schedule.includes("TZ")
      ? [
          FieldRules.invalid(
            field,
            schedule,
            "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
          )
        ]
      : [])
  ]
}

const zoneCauses = (timeZone: unknown): ReadonlyArray<StatusCause> => {
  const complaint = typeof timeZone === "string" ? CronSchedule.timeZoneComplaint(timeZone) : undefined
  return complaint === undefined ? [] : [FieldRules.invalid("spec.timeZone", timeZone, complaint)]
}

/** The controller adds eleven characters for a job's name, which is a label's value. */
const cronJobNameMax = 52

const validateCronJob = (
  { metadata, spec }: KubernetesObject,
  before: KubernetesObject | undefined
): ReadonlyArray<StatusCause> => [
  ...scheduleCauses(text(at(spec, "schedule"), "")),
  ...FieldRules.notNegative("spec.startingDeadlineSeconds", at(spec, "startingDeadlineSeconds")),
  ...zoneCauses(at(spec, "timeZone")),
  ...jobSpecCauses(at(spec, "jobTemplate", "spec"), "spec.jobTemplate.spec"),
  ...["successfulJobsHistoryLimit", "failedJobsHistoryLimit"].flatMap((key) =>
    FieldRules.notNegative(`spec.${key}`, at(spec, key))
  ),
  ...(before === undefined && metadata.name.length > cronJobNameMax
    ? [
        FieldRules.invalid(
          "metadata.name",
          metadata.name,
          `must be no more than ${cronJobNameMax} characters`
        )
      ]
    : [])
]

export const cronJob = define({
  kind: "CronJob",
  group: "batch",
  shortNames: ["cj"],
  inAll: true,
  subresources: ["status"],
  generation: "spec",
  defaults: (object) => mapField(object, "spec", cronJobDefaults),
  validate: validateCronJob,
  columns: [
    nameColumn,
    column("Schedule", ({ spec }) => text(at(spec, "schedule"))),
    column("Timezone", ({ spec }) => text(at(spec, "timeZone"))),
    column("Suspend", ({ spec }) => (at(spec, "suspend") === true ? "True" : "False")),
    column("Active", ({ status }) => objectsAt(status, "active").length, { type: "integer" }),
    column("Last Schedule", ({ status }, nowMs) => {
      const last = at(status, "lastScheduleTime")
      return last === undefined ? "<none>" : age(last, nowMs)
    }),
    ageColumn,
    ...podColumns("spec", "jobTemplate", "spec")
  ]
})
