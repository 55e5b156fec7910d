/** The Gateway API's `GatewayClass`, `Gateway` and `HTTPRoute`, custom kinds in a real cluster. */
import type { KubernetesObject } from "../ClusterObjects.ts"
import { define, type Definition } from "./ResourceType.ts"
import { at, column, dateColumn, nameColumn, objectsAt, text, wide } from "./TableColumn.ts"

const custom = (definition: Definition) =>
  define({
    ...definition,
    group: "gateway.networking.k8s.io",
    isBuiltIn: false,
    generation: "spec",
    subresources: ["status"]
  })

const condition = (object: KubernetesObject, wanted: string): string =>
  text(objectsAt(object, "status", "conditions").find(({ type }) => type === wanted)?.["status"], "")

export const gatewayClass = custom({
  kind: "GatewayClass",
  plural: "gatewayclasses",
  namespaced: false,
  shortNames: ["gc"],
  columns: [
    nameColumn,
    column("Controller", (object) => text(at(object, "spec", "controllerName"), "")),
    column("Accepted", (object) => condition(object, "Accepted")),
    dateColumn,
    wide("Description", (object) => text(at(object, "spec", "description"), ""))
  ]
})

export const gateway = custom({
  kind: "Gateway",
  shortNames: ["gtw"],
  columns: [
    nameColumn,
    column("Class", (object) => text(at(object, "spec", "gatewayClassName"), "")),
    column("Address", (object) =>
      objectsAt(object, "status", "addresses")
        .map(({ value }) => text(value, ""))
        .join(",")
    ),
    column("Programmed", (object) => condition(object, "Programmed")),
    dateColumn
  ]
})

export const httpRoute = custom({
  kind: "HTTPRoute",
  columns: [
    nameColumn,
    column("Hostnames", (object) => JSON.stringify(at(object, "spec", "hostnames") ?? [])),
    dateColumn
  ]
})
