/** `Event`: what somebody noticed about an object. */
import * as FieldRules from "../admission/FieldRules.ts"
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { define } from "./ResourceType.ts"
import { age, at, column, count, text, wide } from "./TableColumn.ts"

const lastSeen = (object: KubernetesObject, nowMs: number): string =>
  age(
    at(object, "series", "lastObservedTime") ??
      object["lastTimestamp"] ??
      object["eventTime"] ??
      object["firstTimestamp"],
    nowMs
  )

const validate = (object: KubernetesObject): ReadonlyArray<StatusCause> => {
  const involved = at(object, "involvedObject", "namespace")
  const { namespace = "" } = object.metadata
  const isElsewhere = involved === undefined ? namespace !== "default" : involved !== namespace
  return isElsewhere
    ? [FieldRules.invalid("involvedObject.namespace", involved ?? "", "does not match event.namespace")]
    : []
}

export const event = define({
  kind: "Event",
  shortNames: ["ev"],
  selectable: [
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type"
  ],
  validate,
  columns: [
    column("Last Seen", lastSeen),
    column("Type", (object) => text(object["type"])),
    column("Reason", (object) => text(object["reason"])),
    column(
      "Object",
      (object) =>
        `${text(at(object, "involvedObject", "kind")).toLowerCase()}/${text(at(object, "involvedObject", "name"))}`
    ),
    wide("Subobject", (object) => text(at(object, "involvedObject", "fieldPath"), "")),
    wide("Source", (object) => text(at(object, "source", "component"), "")),
    column("Message", (object) => text(object["message"], "").trim()),
    wide("First Seen", (object, nowMs) => age(object["firstTimestamp"] ?? object["eventTime"], nowMs)),
    wide("Count", (object) => count(object["count"]) || 1),
    wide("Name", (object) => object.metadata.name)
  ]
})
