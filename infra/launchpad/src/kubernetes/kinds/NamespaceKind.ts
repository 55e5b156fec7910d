/** `Namespace`: what everything else lives in. */
import { isObject, type JsonObject } from "../JsonValue.ts"
import { fill, mapField } from "./internal/fill.ts"
import { define } from "./ResourceType.ts"
import { ageColumn, at, column, nameColumn, text } from "./TableColumn.ts"

const defaults = (object: JsonObject): JsonObject => {
  const metadata = isObject(object["metadata"]) ? object["metadata"] : {}
  const labels = isObject(metadata["labels"]) ? metadata["labels"] : {}
  return {
    ...object,
    metadata: { ...metadata, labels: { ...labels, "kubernetes.io/metadata.name": metadata["name"] } }
  }
}

const admit = (object: JsonObject): JsonObject => {
  const filled = mapField(object, "spec", (spec) => fill(spec, { finalizers: ["kubernetes"] }))
  return mapField(filled, "status", (status) => fill(status, { phase: "Active" }))
}

export const namespace = define({
  kind: "Namespace",
  namespaced: false,
  shortNames: ["ns"],
  subresources: ["status"],
  hasDeleteCollection: false,
  selectable: ["status.phase"],
  nameRule: "label",
  defaults,
  admit,
  columns: [nameColumn, column("Status", (object) => text(at(object, "status", "phase"))), ageColumn]
})
