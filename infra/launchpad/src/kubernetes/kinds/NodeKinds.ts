/** `Node`, `EndpointSlice` and `Lease`: what runs pods, where pods listen, and who leads. */
import * as FieldRules from "../admission/FieldRules.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { define } from "./ResourceType.ts"
import { ageColumn, at, column, nameColumn, objectsAt, text, wide } from "./TableColumn.ts"

const roles = (object: KubernetesObject): string => {
  const prefix = "node-role.kubernetes.io/"
  const found = Object.keys(object.metadata.labels ?? {}).filter((key) => key.startsWith(prefix))
  return found.length === 0 ? "<none>" : found.map((key) => key.slice(prefix.length)).join(",")
}

const nodeStatus = (object: KubernetesObject): string => {
  const ready = objectsAt(object, "status", "conditions").find(({ type }) => type === "Ready")
  const words = ready === undefined ? "Unknown" : ready["status"] === "True" ? "Ready" : "NotReady"
  return at(object, "spec", "unschedulable") === true ? `${words},SchedulingDisabled` : words
}

const address = (object: KubernetesObject, kind: string): string =>
  text(objectsAt(object, "status", "addresses").find(({ type }) => type === kind)?.["address"])

const info = (object: KubernetesObject, key: string): string =>
  text(at(object, "status", "nodeInfo", key), "<unknown>")

export const node = define({
  kind: "Node",
  namespaced: false,
  shortNames: ["no"],
  subresources: ["status"],
  selectable: ["spec.unschedulable"],
  columns: [
    nameColumn,
    column("Status", nodeStatus),
    column("Roles", roles),
    ageColumn,
    column("Version", (object) => info(object, "kubeletVersion")),
    wide("Internal-IP", (object) => address(object, "InternalIP")),
    wide("External-IP", (object) => address(object, "ExternalIP")),
    wide("OS-Image", (object) => info(object, "osImage")),
    wide("Kernel-Version", (object) => info(object, "kernelVersion")),
    wide("Container-Runtime", (object) => info(object, "containerRuntimeVersion"))
  ]
})

/** At most three, as kubectl shows them. */
const few = (values: ReadonlyArray<string>): string => {
  if (values.length === 0) return "<unset>"
  const more = values.length > 3 ? ` + ${values.length - 3} more...` : ""
  return `${values.slice(0, 3).join(",")}${more}`
}

export const endpointSlice = define({
  kind: "EndpointSlice",
  group: "discovery.k8s.io",
  generation: "spec",
  validate: (object, before) => [
    ...(object["addressType"] === undefined ? [FieldRules.required("addressType")] : []),
    ...(before !== undefined && before["addressType"] !== object["addressType"]
      ? [FieldRules.invalid("addressType", object["addressType"], "field is immutable")]
      : []),
    ...objectsAt(object, "endpoints").flatMap((endpoint, index) =>
      Array.isArray(endpoint["addresses"]) && endpoint["addresses"].length > 0
        ? []
        : [FieldRules.required(`endpoints[${index}].addresses`, "must contain at least 1 address")]
    )
  ],
  columns: [
    nameColumn,
    column("AddressType", (object) => text(object["addressType"])),
    column("Ports", (object) => few(objectsAt(object, "ports").map((port) => text(port["port"], "*")))),
    column("Endpoints", (object) =>
      few(
        objectsAt(object, "endpoints").flatMap(({ addresses }) =>
          Array.isArray(addresses) ? addresses.map(String) : []
        )
      )
    ),
    ageColumn
  ]
})

export const lease = define({
  kind: "Lease",
  group: "coordination.k8s.io",
  validate: (object) => {
    const duration = at(object, "spec", "leaseDurationSeconds")
    const transitions = at(object, "spec", "leaseTransitions")
    return [
      ...(typeof duration === "number" && duration <= 0
        ? [FieldRules.invalid("spec.leaseDurationSeconds", duration, "must be greater than 0")]
        : []),
      ...(typeof transitions === "number" && transitions < 0
        ? [FieldRules.invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0")]
        : [])
    ]
  },
  columns: [
    nameColumn,
    column("Holder", (object) => text(at(object, "spec", "holderIdentity"), "")),
    ageColumn
  ]
})
