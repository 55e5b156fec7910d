/** `Deployment` and `ReplicaSet`: numbers of pods made from a template. */
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import type { JsonObject } from "../JsonValue.ts"
import { fill, mapField } from "./internal/fill.ts"
import { templateDefaults, workloadCauses } from "./PodTemplate.ts"
import { define } from "./ResourceType.ts"
import {
  ageColumn,
  at,
  column,
  count,
  nameColumn,
  objectsAt,
  selectorText,
  text,
  wide
} from "./TableColumn.ts"

const deploymentSpec = (spec: JsonObject): JsonObject => {
  const filled = fill(templateDefaults(spec), {
    replicas: 1,
    strategy: {},
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600
  })
  return mapField(filled, "strategy", (strategy) => {
    const typed = fill(strategy, { type: "RollingUpdate" })
    if (typed["type"] !== "RollingUpdate") return typed
    return mapField(fill(typed, { rollingUpdate: {} }), "rollingUpdate", (rolling) =>
      fill(rolling, { maxUnavailable: "25%", maxSurge: "25%" })
    )
  })
}

const validate = (
  object: KubernetesObject,
  before: KubernetesObject | undefined
): ReadonlyArray<StatusCause> => workloadCauses(object["spec"], before?.["spec"], "Always")

const containers = (object: KubernetesObject) => objectsAt(object, "spec", "template", "spec", "containers")

const podColumns = [
  wide("Containers", (object) =>
    containers(object)
      .map((item) => text(item["name"]))
      .join(",")
  ),
  wide("Images", (object) =>
    containers(object)
      .map((item) => text(item["image"]))
      .join(",")
  ),
  wide("Selector", (object) => selectorText(at(object, "spec", "selector")))
]

export const deployment = define({
  kind: "Deployment",
  group: "apps",
  shortNames: ["deploy"],
  inAll: true,
  subresources: ["scale", "status"],
  generation: "spec and annotations",
  defaults: (object) => mapField(object, "spec", deploymentSpec),
  validate,
  columns: [
    nameColumn,
    column(
      "Ready",
      (object) => `${count(at(object, "status", "readyReplicas"))}/${count(at(object, "spec", "replicas"))}`
    ),
    column("Up-to-date", (object) => count(at(object, "status", "updatedReplicas"))),
    column("Available", (object) => count(at(object, "status", "availableReplicas"))),
    ageColumn,
    ...podColumns
  ]
})

export const replicaSet = define({
  kind: "ReplicaSet",
  group: "apps",
  shortNames: ["rs"],
  inAll: true,
  subresources: ["scale", "status"],
  generation: "spec",
  selectable: ["status.replicas"],
  defaults: (object) => mapField(object, "spec", (spec) => fill(templateDefaults(spec), { replicas: 1 })),
  validate,
  columns: [
    nameColumn,
    column("Desired", (object) => count(at(object, "spec", "replicas")), { type: "integer" }),
    column("Current", (object) => count(at(object, "status", "replicas")), { type: "integer" }),
    column("Ready", (object) => count(at(object, "status", "readyReplicas")), { type: "integer" }),
    ageColumn,
    ...podColumns
  ]
})
