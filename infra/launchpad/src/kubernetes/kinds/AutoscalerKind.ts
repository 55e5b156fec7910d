/** `HorizontalPodAutoscaler`: how many pods a workload has, by what they use. */
import * as FieldRules from "../admission/FieldRules.ts"
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { isObject, type JsonObject } from "../JsonValue.ts"
import * as Quantity from "../Quantity.ts"
import { fill, mapField } from "./internal/fill.ts"
import { define } from "./ResourceType.ts"
import { ageColumn, at, column, count, nameColumn, objectsAt, text } from "./TableColumn.ts"

/** What is asked of a workload that does not say. */
const defaultMetrics = [
  { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } }
]

const byPercent = { type: "Percent", value: 100, periodSeconds: 15 }

/** Rules that the workload has, with what it leaves out. */
const ruled = (behavior: JsonObject, key: string, defaults: JsonObject): JsonObject => {
  const rules = behavior[key]
  return { ...behavior, [key]: fill(isObject(rules) ? rules : {}, defaults) }
}

const behaviorDefaults = (behavior: JsonObject): JsonObject =>
  ruled(
    ruled(behavior, "scaleUp", {
      stabilizationWindowSeconds: 0,
      selectPolicy: "Max",
      policies: [{ type: "Pods", value: 4, periodSeconds: 15 }, byPercent]
    }),
    "scaleDown",
    { selectPolicy: "Max", policies: [byPercent] }
  )

const defaults = (object: JsonObject): JsonObject =>
  mapField(object, "spec", (spec) =>
    mapField(fill(spec, { minReplicas: 1, metrics: defaultMetrics }), "behavior", behaviorDefaults)
  )

const sources = {
  Resource: "resource",
  ContainerResource: "containerResource",
  Pods: "pods",
  Object: "object",
  External: "external"
} as const

const metricCauses = (metric: JsonObject, field: string): ReadonlyArray<StatusCause> => {
  const type = text(metric["type"], "")
  if (!Object.hasOwn(sources, type)) {
    return type === ""
      ? [FieldRules.required(`${field}.type`, "must specify a metric source type")]
      : [FieldRules.unsupported(`${field}.type`, type, Object.keys(sources).sort())]
  }
  const key = sources[type as keyof typeof sources]
  const source = metric[key]
  if (!isObject(source)) {
    return [FieldRules.required(`${field}.${key}`, "must populate information for the given metric source")]
  }
  if (type !== "Resource" && type !== "ContainerResource") return []
  const target = `${field}.${key}.target`
  const utilization = at(source, "target", "averageUtilization")
  const average = at(source, "target", "averageValue")
  return [
    ...(text(source["name"], "") === ""
      ? [FieldRules.required(`${field}.${key}.name`, "must specify a resource name")]
      : []),
    ...(typeof utilization === "number" && utilization < 1
      ? [FieldRules.invalid(`${target}.averageUtilization`, utilization, "must be greater than 0")]
      : []),
    ...(average !== undefined && Quantity.amountOf(average) <= 0n
      ? [FieldRules.invalid(`${target}.averageValue`, average, "must be positive")]
      : []),
    ...(utilization === undefined && average === undefined
      ? [
          FieldRules.required(
            `${target}.averageUtilization`,
            "must set either a target raw value or a target utilization"
          )
        ]
      : []),
    ...(utilization !== undefined && average !== undefined
      ? [
          FieldRules.forbidden(
            `${target}.averageValue`,
            "may not set both a target raw value and a target utilization"
          )
        ]
      : [])
  ]
}

/** The longest, in seconds. */
const windowMax = 3600
const periodMax = 1800

const policyCauses = (policy: JsonObject, field: string): ReadonlyArray<StatusCause> => {
  const type = text(policy["type"], "")
  const [value, period] = [count(policy["value"]), count(policy["periodSeconds"])]
  const tooLow = "must be greater than zero"
  return [
    ...(type === "Pods" || type === "Percent"
      ? []
      : [FieldRules.unsupported(`${field}.type`, type, ["Percent", "Pods"])]),
    ...(value <= 0 ? [FieldRules.invalid(`${field}.value`, value, tooLow)] : []),
    ...(period <= 0 ? [FieldRules.invalid(`${field}.periodSeconds`, period, tooLow)] : []),
    ...(period > periodMax
      ? [FieldRules.invalid(`${field}.periodSeconds`, period, `must be less than or equal to ${periodMax}`)]
      : [])
  ]
}

const windowCauses = (rules: JsonObject, field: string): ReadonlyArray<StatusCause> => {
  const window = count(rules["stabilizationWindowSeconds"])
  if (window < 0) return [FieldRules.invalid(field, window, "must be greater than or equal to zero")]
  return window > windowMax
    ? [FieldRules.invalid(field, window, `must be less than or equal to ${windowMax}`)]
    : []
}

const rulesCauses = (spec: unknown, key: "scaleUp" | "scaleDown"): ReadonlyArray<StatusCause> => {
  const rules = at(spec, "behavior", key)
  if (!isObject(rules)) return []
  const field = `spec.behavior.${key}`
  const select = text(rules["selectPolicy"], "")
  const policies = objectsAt(rules, "policies")
  const { tolerance } = rules
  return [
    ...windowCauses(rules, `${field}.stabilizationWindowSeconds`),
    ...(["Disabled", "Max", "Min"].includes(select)
      ? []
      : [FieldRules.unsupported(`${field}.selectPolicy`, select, ["Disabled", "Max", "Min"])]),
    ...(policies.length === 0
      ? [FieldRules.required(`${field}.policies`, "must specify at least one Policy")]
      : []),
    ...policies.flatMap((policy, index) => policyCauses(policy, `${field}.policies[${index}]`)),
    ...(Quantity.amountOf(tolerance) < 0n
      ? [FieldRules.invalid(`${field}.tolerance`, tolerance, "must be greater than or equal to 0")]
      : [])
  ]
}

const validate = ({ spec }: KubernetesObject): ReadonlyArray<StatusCause> => {
  const [least, most] = [count(at(spec, "minReplicas")), count(at(spec, "maxReplicas"))]
  const reference = ["kind", "name"].filter((key) => text(at(spec, "scaleTargetRef", key), "") === "")
  return [
    ...(least < 1
      ? [FieldRules.invalid("spec.minReplicas", least, "must be greater than or equal to 1")]
      : []),
    ...(most < 1 ? [FieldRules.invalid("spec.maxReplicas", most, "must be greater than 0")] : []),
    ...(most < least
      ? [FieldRules.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")]
      : []),
    ...reference.map((key) => FieldRules.required(`spec.scaleTargetRef.${key}`)),
    ...objectsAt(spec, "metrics").flatMap((metric, index) => metricCauses(metric, `spec.metrics[${index}]`)),
    ...rulesCauses(spec, "scaleUp"),
    ...rulesCauses(spec, "scaleDown")
  ]
}

const targetText = (metric: JsonObject, current: JsonObject | undefined): string => {
  const type = text(metric["type"], "")
  const key = Object.hasOwn(sources, type) ? sources[type as keyof typeof sources] : "resource"
  const wanted = at(metric, key, "target", "averageUtilization")
  const found = at(current, key, "current", wanted === undefined ? "averageValue" : "averageUtilization")
  const unit = wanted === undefined ? "" : "%"
  const goal = text(wanted ?? at(metric, key, "target", "averageValue"), "<auto>")
  return `${text(at(metric, key, "name"))}: ${found === undefined ? "<unknown>" : `${text(found)}${unit}`}/${goal}${unit}`
}

const targetsText = (object: KubernetesObject): string => {
  const current = objectsAt(object, "status", "currentMetrics")
  const all = objectsAt(object, "spec", "metrics").map((metric, index) => targetText(metric, current[index]))
  if (all.length === 0) return "<none>"
  return all.length > 2 ? `${all.slice(0, 2).join(", ")} + ${all.length - 2} more...` : all.join(", ")
}

export const horizontalPodAutoscaler = define({
  kind: "HorizontalPodAutoscaler",
  group: "autoscaling",
  version: "v2",
  shortNames: ["hpa"],
  inAll: true,
  subresources: ["status"],
  defaults,
  validate,
  columns: [
    nameColumn,
    column(
      "Reference",
      ({ spec }) => `${text(at(spec, "scaleTargetRef", "kind"))}/${text(at(spec, "scaleTargetRef", "name"))}`
    ),
    column("Targets", targetsText),
    column("MinPods", ({ spec }) => text(at(spec, "minReplicas"), "<unset>")),
    column("MaxPods", ({ spec }) => count(at(spec, "maxReplicas")), { type: "integer" }),
    column("Replicas", ({ status }) => count(at(status, "currentReplicas")), { type: "integer" }),
    ageColumn
  ]
})
