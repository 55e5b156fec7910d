/** `Job` and `CronJob`: pods that run to their end, once or by a schedule. */
import * as Result from "effect/Result"
import * as FieldRules from "../admission/FieldRules.ts"
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import * as CronSchedule from "../CronSchedule.ts"
import { equal, isObject, type JsonObject } from "../JsonValue.ts"
import { fill, mapField } from "./internal/fill.ts"
import { podSpecCauses, templateDefaults } from "./PodTemplate.ts"
import { define } from "./ResourceType.ts"
import {
  age,
  ageColumn,
  at,
  column,
  count,
  duration,
  nameColumn,
  objectsAt,
  selectorText,
  text,
  wide
} from "./TableColumn.ts"

const group = "batch"

const jobDefaults = (spec: JsonObject): JsonObject => {
  const alone = spec["completions"] === undefined && spec["parallelism"] === undefined
  return fill(templateDefaults(spec), {
    parallelism: 1,
    ...(alone ? { completions: 1 } : {}),
    backoffLimit: spec["backoffLimitPerIndex"] === undefined ? 6 : 2 ** 31 - 1,
    completionMode: "NonIndexed",
    suspend: false,
    podReplacementPolicy: spec["podFailurePolicy"] === undefined ? "TerminatingOrFailed" : "Failed",
    manualSelector: false
  })
}

const controllerUidLabel = "batch.kubernetes.io/controller-uid"

/** A job's pods are told from all others by its uid. */
const jobLabels = ({ uid, name }: KubernetesObject["metadata"]): JsonObject => ({
  [controllerUidLabel]: uid,
  "batch.kubernetes.io/job-name": name,
  "controller-uid": uid,
  "job-name": name
})

const admitJob = (object: JsonObject): JsonObject => {
  const { metadata, spec } = object as KubernetesObject
  if (!isObject(spec) || spec["manualSelector"] === true) return object
  const filled = mapField({ template: {}, ...spec }, "template", (template) =>
    mapField({ metadata: {}, ...template }, "metadata", (found) => ({
      ...found,
      labels: { ...(isObject(found["labels"]) ? found["labels"] : {}), ...jobLabels(metadata) }
    }))
  )
  const selector = { matchLabels: { [controllerUidLabel]: metadata.uid } }
  return { ...object, spec: fill(filled, { selector }) }
}

const jobSpecCauses = (spec: unknown, field: string): ReadonlyArray<StatusCause> => {
  const policy = at(spec, "template", "spec", "restartPolicy")
  const here = `${field}.template.spec`
  const policies = ["OnFailure", "Never"]
  const numbers = [
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex"
  ]
  return [
    ...numbers.flatMap((key) => FieldRules.notNegative(`${field}.${key}`, at(spec, key))),
    ...(at(spec, "completionMode") === "Indexed" && at(spec, "completions") === undefined
      ? [FieldRules.required(`${field}.completions`, "when completion mode is Indexed")]
      : []),
    ...FieldRules.labels(`${field}.template.labels`, at(spec, "template", "metadata", "labels")),
    ...podSpecCauses(at(spec, "template", "spec"), here),
    ...(policy === undefined || policy === "Always"
      ? [FieldRules.required(`${here}.restartPolicy`, 'valid values: "OnFailure", "Never"')]
      : policies.includes(String(policy))
        ? []
        : [FieldRules.unsupported(`${here}.restartPolicy`, policy, policies)])
  ]
}

/** What of a job's spec stays as it was; a suspended job's pods may still change. */
const fixedFields = (before: KubernetesObject): ReadonlyArray<string> => [
  "completions",
  "selector",
  ...(at(before, "spec", "suspend") === true && at(before, "status", "startTime") === undefined
    ? []
    : ["template"]),
  "completionMode",
  "podFailurePolicy",
  "backoffLimitPerIndex"
]

const validateJob = (
  object: KubernetesObject,
  before: KubernetesObject | undefined
): ReadonlyArray<StatusCause> => [
  ...jobSpecCauses(object["spec"], "spec"),
  ...(before === undefined
    ? []
    : fixedFields(before)
        .filter((key) => !equal(at(before, "spec", key), at(object, "spec", key)))
        .map((key) => FieldRules.invalid(`spec.${key}`, at(object, "spec", key), "field is immutable")))
]

const hasCondition = (object: KubernetesObject, wanted: string): boolean =>
  objectsAt(object, "status", "conditions").some(({ type, status }) => type === wanted && status === "True")

const jobStatus = (object: KubernetesObject): string => {
  if (hasCondition(object, "Complete")) return "Complete"
  if (hasCondition(object, "Failed")) return "Failed"
  if (object.metadata.deletionTimestamp !== undefined) return "Terminating"
  if (hasCondition(object, "Suspended")) return "Suspended"
  if (hasCondition(object, "FailureTarget")) return "FailureTarget"
  return hasCondition(object, "SuccessCriteriaMet") ? "SuccessCriteriaMet" : "Running"
}

const completionsText = (object: KubernetesObject): string => {
  const succeeded = count(at(object, "status", "succeeded"))
  const completions = at(object, "spec", "completions")
  const parallelism = count(at(object, "spec", "parallelism"))
  if (completions !== undefined) return `${succeeded}/${text(completions)}`
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`
}

const durationText = (object: KubernetesObject, nowMs: number): string => {
  const [start, end] = ["startTime", "completionTime"].map((key) => at(object, "status", key))
  if (typeof start !== "string") return ""
  return duration((typeof end === "string" ? Date.parse(end) : nowMs) - Date.parse(start))
}

const podColumns = (...path: ReadonlyArray<string>) => {
  const names = (key: string) => (object: KubernetesObject) =>
    objectsAt(object, ...path, "template", "spec", "containers")
      .map((container) => text(container[key]))
      .join(",")
  return [
    wide("Containers", names("name")),
    wide("Images", names("image")),
    wide("Selector", (object) => text(selectorText(at(object, ...path, "selector"))))
  ]
}

export const job = define({
  kind: "Job",
  group,
  inAll: true,
  subresources: ["status"],
  generation: "spec",
  selectable: ["status.successful"],
  defaults: (object) => mapField(object, "spec", jobDefaults),
  admit: admitJob,
  validate: validateJob,
  columns: [
    nameColumn,
    column("Status", jobStatus),
    column("Completions", completionsText),
    column("Duration", durationText),
    ageColumn,
    ...podColumns("spec")
  ]
})

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
  group,
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
