/** `Service`: a name for pods. It has no address of its own here: clients go through the gateway. */
import * as FieldRules from "../admission/FieldRules.ts"
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { isObject, type JsonObject } from "../JsonValue.ts"
import { fill, mapField, mapItems } from "./internal/fill.ts"
import { define } from "./ResourceType.ts"
import { ageColumn, at, column, nameColumn, objectsAt, text, wide } from "./TableColumn.ts"

const defaults = (object: JsonObject): JsonObject =>
  mapField(object, "spec", (spec) => {
    const typed = fill(spec, { type: "ClusterIP", sessionAffinity: "None" })
    const withPorts = mapItems(typed, "ports", (port) =>
      fill(port, { protocol: "TCP", targetPort: port["port"] })
    )
    return typed["type"] === "ExternalName"
      ? withPorts
      : fill(withPorts, { internalTrafficPolicy: "Cluster" })
  })

/** An address once given stays. */
const admit = (object: JsonObject, before: KubernetesObject | undefined): JsonObject =>
  mapField(object, "spec", (spec) => {
    if (spec["type"] === "ExternalName") return spec
    const past = isObject(before?.["spec"]) ? before["spec"] : {}
    const clusterIP = spec["clusterIP"] ?? past["clusterIP"] ?? "None"
    return fill(spec, {
      clusterIP,
      clusterIPs: [clusterIP],
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack"
    })
  })

const validate = (object: KubernetesObject): ReadonlyArray<StatusCause> => {
  const ports = objectsAt(object, "spec", "ports")
  if (ports.length === 0) {
    return at(object, "spec", "type") === "ExternalName" ? [] : [FieldRules.required("spec.ports")]
  }
  return ports.flatMap((port, index) => {
    const here = `spec.ports[${index}]`
    const { name } = port
    const isNamed = typeof name === "string" && name !== ""
    const isRepeated = isNamed && ports.findIndex((other) => other["name"] === name) < index
    return [
      ...(ports.length > 1 && !isNamed ? [FieldRules.required(`${here}.name`)] : []),
      ...(isNamed ? FieldRules.dnsLabel(`${here}.name`, name) : []),
      ...(isRepeated ? [FieldRules.duplicate(`${here}.name`, name)] : []),
      ...FieldRules.port(`${here}.port`, port["port"]),
      ...(typeof port["targetPort"] === "number"
        ? FieldRules.port(`${here}.targetPort`, port["targetPort"])
        : [])
    ]
  })
}

const portsText = (object: KubernetesObject): string => {
  const ports = objectsAt(object, "spec", "ports").map(
    (port) => `${text(port["port"])}/${text(port["protocol"], "TCP")}`
  )
  return ports.length === 0 ? "<none>" : ports.join(",")
}

const selectorText = (object: KubernetesObject): string => {
  const selector = at(object, "spec", "selector")
  const terms = Object.entries(isObject(selector) ? selector : {})
  return terms.length === 0 ? "<none>" : terms.map(([key, value]) => `${key}=${String(value)}`).join(",")
}

export const service = define({
  kind: "Service",
  shortNames: ["svc"],
  inAll: true,
  subresources: ["status"],
  selectable: ["spec.clusterIP", "spec.type"],
  nameRule: "dns1035",
  defaults,
  admit,
  validate,
  columns: [
    nameColumn,
    column("Type", (object) => text(at(object, "spec", "type"))),
    column("Cluster-IP", (object) => text(at(object, "spec", "clusterIP"))),
    column("External-IP", (object) => text(at(object, "spec", "externalName"))),
    column("Port(s)", portsText),
    ageColumn,
    wide("Selector", selectorText)
  ]
})
