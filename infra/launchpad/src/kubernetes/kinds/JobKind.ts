/** `Job`: pods that run to their end. */
import * as FieldRules from "../admission/FieldRules.ts"
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { equal, isObject, type JsonObject } from "../JsonValue.ts"
import { fill, mapField } from "./internal/fill.ts"
import { podColumns } from "./internal/podColumns.ts"
import { podSpecCauses, templateDefaults } from "./PodTemplate.ts"
import { define } from "./ResourceType.ts"
import { ageColumn, at, column, count, duration, nameColumn, objectsAt, text } from "./TableColumn.ts"

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

/** What is wrong with a job's spec, in a Job and in a CronJob alike. */
export const jobSpecCauses = (spec: unknown, field: string): ReadonlyArray<StatusCause> => {
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

export const job = define({
  kind: "Job",
  group: "batch",
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
