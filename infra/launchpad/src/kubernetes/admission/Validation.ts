/** What is wrong with an object before it is stored, as the causes of a 422. Pure. */
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { equal, isObject, type JsonObject } from "../JsonValue.ts"
import type { ResourceType } from "../ResourceTypes.ts"
import { matches } from "../Selectors.ts"

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const label1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/

const subdomainRule =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start " +
  "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const labelRule =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end " +
  "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
const label1035Rule =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, " +
  "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is " +
  "'[a-z]([-a-z0-9]*[a-z0-9])?')"
const labelValueRule =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and " +
  "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is " +
  "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

const wrong = (field: string, value: unknown, rule: string): StatusCause => ({
  reason: "FieldValueInvalid",
  message: `Invalid value: ${JSON.stringify(value) ?? "null"}: ${rule}`,
  field
})

const required = (field: string): StatusCause => ({
  reason: "FieldValueRequired",
  message: "Required value",
  field
})

const nameCauses = (type: ResourceType, name: string): ReadonlyArray<StatusCause> => {
  const field = "metadata.name"
  if (type.kind === "Namespace") {
    return label.test(name) && name.length <= 63 ? [] : [wrong(field, name, labelRule)]
  }
  if (type.kind === "Service") {
    return label1035.test(name) && name.length <= 63 ? [] : [wrong(field, name, label1035Rule)]
  }
  return subdomain.test(name) && name.length <= 253 ? [] : [wrong(field, name, subdomainRule)]
}

const labelCauses = (labels: Readonly<Record<string, string>> | undefined): ReadonlyArray<StatusCause> =>
  Object.entries(labels ?? {}).flatMap(([, value]) => {
    if (value.length > 63) return [wrong("metadata.labels", value, "must be no more than 63 bytes")]
    return labelValue.test(value) ? [] : [wrong("metadata.labels", value, labelValueRule)]
  })

const containerCauses = (spec: JsonObject, at: string): ReadonlyArray<StatusCause> => {
  const containers = Array.isArray(spec["containers"]) ? spec["containers"] : []
  if (containers.length === 0) return [required(`${at}.containers`)]
  return containers.flatMap((container: JsonObject, index) => {
    const here = `${at}.containers[${index}]`
    const missing = ["name", "image"].filter(
      (key) => typeof container[key] !== "string" || container[key] === ""
    )
    return missing.map((key) => required(`${here}.${key}`))
  })
}

const workloadCauses = (object: KubernetesObject): ReadonlyArray<StatusCause> => {
  const spec = isObject(object["spec"]) ? object["spec"] : {}
  const template = isObject(spec["template"]) ? spec["template"] : {}
  const metadata = isObject(template["metadata"]) ? template["metadata"] : {}
  const labels = metadata["labels"]
  const causes: Array<StatusCause> = []
  const { replicas, selector } = spec
  if (typeof replicas === "number" && replicas < 0) {
    causes.push(wrong("spec.replicas", replicas, "must be greater than or equal to 0"))
  }
  if (!isObject(selector)) causes.push(required("spec.selector"))
  const isMatching =
    isObject(selector) && isObject(labels) && matches(selector, labels as Readonly<Record<string, string>>)
  if (!isMatching) {
    const rule = "`selector` does not match template `labels`"
    causes.push(wrong("spec.template.metadata.labels", labels, rule))
  }
  const podSpec = isObject(template["spec"]) ? template["spec"] : {}
  return [...causes, ...containerCauses(podSpec, "spec.template.spec")]
}

const specCauses = (type: ResourceType, object: KubernetesObject): ReadonlyArray<StatusCause> => {
  const spec = isObject(object["spec"]) ? object["spec"] : {}
  switch (type.kind) {
    case "Deployment":
    case "ReplicaSet":
      return workloadCauses(object)
    case "Pod":
      return containerCauses(spec, "spec")
    case "Service":
      return Array.isArray(spec["ports"]) && spec["ports"].length > 0 ? [] : [required("spec.ports")]
    default:
      return []
  }
}

/** Causes of refusing a new object. */
export const onCreate = (type: ResourceType, object: KubernetesObject): ReadonlyArray<StatusCause> => [
  ...nameCauses(type, object.metadata.name),
  ...labelCauses(object.metadata.labels),
  ...specCauses(type, object)
]

/** Causes of refusing a change. */
export const onUpdate = (
  type: ResourceType,
  before: KubernetesObject,
  after: KubernetesObject
): ReadonlyArray<StatusCause> => {
  const causes = [...labelCauses(after.metadata.labels), ...specCauses(type, after)]
  const isWorkload = type.kind === "Deployment" || type.kind === "ReplicaSet"
  const past = isObject(before["spec"]) ? before["spec"] : {}
  const now = isObject(after["spec"]) ? after["spec"] : {}
  if (isWorkload && !equal(past["selector"], now["selector"])) {
    causes.push(wrong("spec.selector", now["selector"], "field is immutable"))
  }
  return causes
}
