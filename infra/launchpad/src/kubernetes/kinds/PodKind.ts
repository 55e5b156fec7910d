/** `Pod`: one set of processes. */
import * as FieldRules from "../admission/FieldRules.ts"
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { equal, isObject, type JsonObject, without } from "../JsonValue.ts"
import { fill, mapField, mapItems } from "./internal/fill.ts"
import { podSpecCauses, podSpecDefaults } from "./PodTemplate.ts"
import { define } from "./ResourceType.ts"
import { ageColumn, at, column, count, duration, nameColumn, objectsAt, text, wide } from "./TableColumn.ts"

const resourcesOf = (container: JsonObject, part: "limits" | "requests"): JsonObject => {
  const value = at(container, "resources", part)
  return isObject(value) ? value : {}
}

/** @source the classes of quality of service: all limits equal to requests, some of them, none */
const qosClass = (spec: JsonObject): string => {
  const containers = objectsAt(spec, "containers")
  const counted = ["cpu", "memory"]
  const hasAny = containers.some((container) =>
    counted.some(
      (name) =>
        resourcesOf(container, "limits")[name] !== undefined ||
        resourcesOf(container, "requests")[name] !== undefined
    )
  )
  if (!hasAny) return "BestEffort"
  const isGuaranteed = containers.every((container) =>
    counted.every((name) => {
      const limit = resourcesOf(container, "limits")[name]
      return limit !== undefined && (resourcesOf(container, "requests")[name] ?? limit) === limit
    })
  )
  return isGuaranteed ? "Guaranteed" : "Burstable"
}

/** How long a pod stays on a node that is not ready, unless it says otherwise. @source the admission of default tolerations */
const tolerations = ["not-ready", "unreachable"].map((condition) => ({
  key: `node.kubernetes.io/${condition}`,
  operator: "Exists",
  effect: "NoExecute",
  tolerationSeconds: 300
}))

/** What a container is limited to is also what it asks for. */
const withRequests = (container: JsonObject): JsonObject => {
  const limits = resourcesOf(container, "limits")
  if (Object.keys(limits).length === 0) return container
  return mapField(container, "resources", (resources) => ({
    ...resources,
    requests: fill(resourcesOf(container, "requests"), limits)
  }))
}

const defaults = (object: JsonObject): JsonObject =>
  mapField(object, "spec", (spec) => {
    const requested = mapItems(mapItems(spec, "containers", withRequests), "initContainers", withRequests)
    return fill(podSpecDefaults(requested), { enableServiceLinks: true })
  })

const admit = (object: JsonObject): JsonObject => {
  const filled = mapField(object, "spec", (spec) =>
    fill(spec, { tolerations, priority: 0, preemptionPolicy: "PreemptLowerPriority" })
  )
  const spec = filled["spec"]
  return mapField(filled, "status", (status) =>
    fill(status, { phase: "Pending", qosClass: qosClass(isObject(spec) ? spec : {}) })
  )
}

/** What may change in the spec of a pod that exists. */
const changeable = ["nodeName", "activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"]

const fixedPart = (object: KubernetesObject): JsonObject => {
  const spec = isObject(object["spec"]) ? object["spec"] : {}
  const images = (list: string) => objectsAt(spec, list).map((container) => without(container, "image"))
  return {
    ...without(spec, ...changeable, "containers", "initContainers"),
    containers: images("containers"),
    initContainers: images("initContainers")
  }
}

const updateRule =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`," +
  "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations)," +
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"

const validate = (
  object: KubernetesObject,
  before: KubernetesObject | undefined
): ReadonlyArray<StatusCause> => [
  ...podSpecCauses(object["spec"], "spec"),
  ...(before === undefined || equal(fixedPart(before), fixedPart(object))
    ? []
    : [FieldRules.forbidden("spec", updateRule)])
]

const containerStatuses = (pod: KubernetesObject) => objectsAt(pod, "status", "containerStatuses")

const restartsText = (pod: KubernetesObject, nowMs: number): string => {
  const statuses = containerStatuses(pod)
  const restarts = statuses.reduce((sum, status) => sum + count(status["restartCount"]), 0)
  const ends = statuses
    .map((status) => at(status, "lastState", "terminated", "finishedAt"))
    .filter((end) => typeof end === "string")
    .sort()
  const last = ends.at(-1)
  return restarts === 0 || last === undefined
    ? String(restarts)
    : `${restarts} (${duration(nowMs - Date.parse(last))} ago)`
}

/** The worst that its containers say, as kubectl sums it up. */
const statusText = (pod: KubernetesObject): string => {
  if (pod.metadata.deletionTimestamp !== undefined) return "Terminating"
  const words = containerStatuses(pod).map((status) => {
    const waiting = at(status, "state", "waiting", "reason")
    if (typeof waiting === "string" && waiting !== "") return waiting
    const terminated = at(status, "state", "terminated")
    if (!isObject(terminated)) return undefined
    return text(terminated["reason"], `ExitCode:${count(terminated["exitCode"])}`)
  })
  const word = words.findLast((found) => found !== undefined)
  const isReady = objectsAt(pod, "status", "conditions").some(
    ({ type, status }) => type === "Ready" && status === "True"
  )
  const hasRunning = containerStatuses(pod).some(
    (status) => status["ready"] === true && at(status, "state", "running") !== undefined
  )
  if (word === "Completed" && hasRunning) return isReady ? "Running" : "NotReady"
  return word ?? text(at(pod, "status", "reason") ?? at(pod, "status", "phase"))
}

export const pod = define({
  kind: "Pod",
  shortNames: ["po"],
  inAll: true,
  subresources: ["log", "status"],
  generation: "spec",
  selectable: [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.phase",
    "status.podIP"
  ],
  defaults,
  admit,
  validate,
  columns: [
    nameColumn,
    column("Ready", (object) => {
      const ready = containerStatuses(object).filter((status) => status["ready"] === true).length
      return `${ready}/${objectsAt(object, "spec", "containers").length}`
    }),
    column("Status", statusText),
    column("Restarts", restartsText),
    ageColumn,
    wide("IP", (object) => text(at(object, "status", "podIP"))),
    wide("Node", (object) => text(at(object, "spec", "nodeName"))),
    wide("Nominated Node", (object) => text(at(object, "status", "nominatedNodeName"))),
    wide("Readiness Gates", () => "<none>")
  ]
})
