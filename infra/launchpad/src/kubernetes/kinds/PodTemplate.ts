/** What pods, and everything that makes pods, have in common: defaults and rules of a pod's spec. Pure. */
import * as FieldRules from "../admission/FieldRules.ts"
import type { StatusCause } from "../ApiStatus.ts"
import { isObject, type JsonObject } from "../JsonValue.ts"
import { matches } from "../Selectors.ts"
import { fill, mapField, mapItems } from "./internal/fill.ts"
import { at, objectsAt } from "./TableColumn.ts"

const probe = (value: JsonObject): JsonObject => {
  const timed = fill(value, {
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3
  })
  const grpc = mapField(timed, "grpc", (call) => fill(call, { service: "" }))
  return mapField(grpc, "httpGet", (get) => fill(get, { path: "/", scheme: "HTTP" }))
}

const lifecycleHandler = (value: JsonObject): JsonObject =>
  mapField(value, "httpGet", (get) => fill(get, { path: "/", scheme: "HTTP" }))

/** A tag that may move is pulled every time. */
const pullPolicy = (image: unknown): string => {
  const text = String(image ?? "")
  const tag = /:([^/@]+)$/.exec(text.split("@")[0] ?? "")?.[1]
  return text.includes("@") || (tag !== undefined && tag !== "latest") ? "IfNotPresent" : "Always"
}

const container = (value: JsonObject): JsonObject => {
  const withPorts = mapItems(value, "ports", (port) => fill(port, { protocol: "TCP" }))
  const withEnv = mapItems(withPorts, "env", (variable) =>
    mapField(variable, "valueFrom", (from) =>
      mapField(from, "fieldRef", (reference) => fill(reference, { apiVersion: "v1" }))
    )
  )
  const withProbes = ["livenessProbe", "readinessProbe", "startupProbe"].reduce(
    (current, name) => mapField(current, name, probe),
    withEnv
  )
  const withLifecycle = mapField(withProbes, "lifecycle", (lifecycle) =>
    mapField(mapField(lifecycle, "postStart", lifecycleHandler), "preStop", lifecycleHandler)
  )
  return fill(withLifecycle, {
    resources: {},
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    imagePullPolicy: pullPolicy(value["image"])
  })
}

const volume = (value: JsonObject): JsonObject => {
  const withModes = ["secret", "configMap", "downwardAPI", "projected"].reduce(
    (current, source) => mapField(current, source, (found) => fill(found, { defaultMode: 0o644 })),
    value
  )
  return mapField(withModes, "hostPath", (path) => fill(path, { type: "" }))
}

/** What the server fills in in a pod's spec, in a pod and in a template alike. */
export const podSpecDefaults = (spec: JsonObject): JsonObject =>
  fill(
    mapItems(
      mapItems(mapItems(spec, "containers", container), "initContainers", container),
      "volumes",
      volume
    ),
    {
      restartPolicy: "Always",
      terminationGracePeriodSeconds: 30,
      dnsPolicy: "ClusterFirst",
      securityContext: {},
      schedulerName: "default-scheduler",
      ...(typeof spec["serviceAccountName"] === "string" && spec["serviceAccountName"] !== ""
        ? { serviceAccount: spec["serviceAccountName"] }
        : {})
    }
  )

/** The same in `spec.template`. */
export const templateDefaults = (spec: JsonObject): JsonObject =>
  mapField(spec, "template", (template) => mapField(template, "spec", podSpecDefaults))

const repeated = (
  items: ReadonlyArray<JsonObject>,
  key: string,
  field: (index: number) => string
): ReadonlyArray<StatusCause> =>
  items.flatMap((item, index) =>
    item[key] !== undefined && items.findIndex((other) => other[key] === item[key]) < index
      ? [FieldRules.duplicate(`${field(index)}.${key}`, item[key])]
      : []
  )

const portCauses = (value: JsonObject, field: string): ReadonlyArray<StatusCause> => [
  ...(typeof value["name"] === "string" && value["name"].length > 15
    ? [FieldRules.invalid(`${field}.name`, value["name"], "must be no more than 15 characters")]
    : []),
  ...(value["containerPort"] === undefined || value["containerPort"] === 0
    ? [FieldRules.required(`${field}.containerPort`)]
    : FieldRules.port(`${field}.containerPort`, value["containerPort"]))
]

const handlers = ["exec", "httpGet", "tcpSocket", "grpc"]

const probeCauses = (value: unknown, field: string): ReadonlyArray<StatusCause> => {
  if (!isObject(value)) return []
  const given = handlers.filter((handler) => value[handler] !== undefined)
  const extra = given
    .slice(1)
    .map((handler) => FieldRules.forbidden(`${field}.${handler}`, "may not specify more than 1 handler type"))
  const numbers = [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold"
  ]
  return [
    ...(given.length === 0 ? [FieldRules.required(field, "must specify a handler type")] : extra),
    ...numbers.flatMap((key) => FieldRules.notNegative(`${field}.${key}`, value[key]))
  ]
}

const containerCauses = (
  value: JsonObject,
  field: string,
  volumes: ReadonlySet<unknown>
): ReadonlyArray<StatusCause> => {
  const { name, image } = value
  const ports = objectsAt(value, "ports")
  return [
    ...(typeof name !== "string" || name === ""
      ? [FieldRules.required(`${field}.name`)]
      : FieldRules.dnsLabel(`${field}.name`, name)),
    ...(typeof image !== "string" || image === "" ? [FieldRules.required(`${field}.image`)] : []),
    ...ports.flatMap((port, index) => portCauses(port, `${field}.ports[${index}]`)),
    ...repeated(ports, "name", (index) => `${field}.ports[${index}]`),
    ...objectsAt(value, "env").flatMap((variable, index) =>
      typeof variable["name"] === "string" && variable["name"] !== ""
        ? []
        : [FieldRules.required(`${field}.env[${index}].name`)]
    ),
    ...objectsAt(value, "volumeMounts").flatMap((mount, index) =>
      volumes.has(mount["name"])
        ? []
        : [
            {
              reason: "FieldValueNotFound",
              message: `Not found: ${JSON.stringify(mount["name"] ?? "")}`,
              field: `${field}.volumeMounts[${index}].name`
            }
          ]
    ),
    ...["livenessProbe", "readinessProbe", "startupProbe"].flatMap((probeName) =>
      probeCauses(value[probeName], `${field}.${probeName}`)
    )
  ]
}

/** A pause before the end must fit into the end. */
const pauseCauses = (value: JsonObject, field: string, graceSeconds: unknown): ReadonlyArray<StatusCause> => {
  const seconds = at(value, "lifecycle", "preStop", "sleep", "seconds")
  const most = typeof graceSeconds === "number" ? graceSeconds : 30
  return typeof seconds === "number" && (seconds < 0 || seconds > most)
    ? [
        FieldRules.invalid(
          `${field}.lifecycle.preStop.sleep.seconds`,
          seconds,
          `must be non-negative and less than terminationGracePeriodSeconds (${most})`
        )
      ]
    : []
}

/** Checked, though one node is all the topology there is. */
const spreadCauses = (value: JsonObject, field: string): ReadonlyArray<StatusCause> => {
  const { maxSkew = 0, topologyKey = "", whenUnsatisfiable } = value
  return [
    ...(typeof maxSkew === "number" && maxSkew <= 0
      ? [FieldRules.invalid(`${field}.maxSkew`, maxSkew, "must be greater than zero")]
      : []),
    ...(topologyKey === "" ? [FieldRules.required(`${field}.topologyKey`, "can not be empty")] : []),
    ...(whenUnsatisfiable === undefined
      ? [FieldRules.unsupported(`${field}.whenUnsatisfiable`, "", ["DoNotSchedule", "ScheduleAnyway"])]
      : [])
  ]
}

/** What is wrong with a pod's spec. */
export const podSpecCauses = (spec: unknown, field: string): ReadonlyArray<StatusCause> => {
  const volumes = new Set(objectsAt(spec, "volumes").map((value) => value["name"]))
  const lists = ["containers", "initContainers"].flatMap((list) => {
    const containers = objectsAt(spec, list)
    return [
      ...containers.flatMap((value, index) => {
        const here = `${field}.${list}[${index}]`
        const grace = at(spec, "terminationGracePeriodSeconds")
        return [...containerCauses(value, here, volumes), ...pauseCauses(value, here, grace)]
      }),
      ...repeated(containers, "name", (index) => `${field}.${list}[${index}]`)
    ]
  })
  return [
    ...(objectsAt(spec, "containers").length === 0 ? [FieldRules.required(`${field}.containers`)] : []),
    ...lists,
    ...objectsAt(spec, "topologySpreadConstraints").flatMap((value, index) =>
      spreadCauses(value, `${field}.topologySpreadConstraints[${index}]`)
    ),
    ...FieldRules.notNegative(
      `${field}.terminationGracePeriodSeconds`,
      at(spec, "terminationGracePeriodSeconds")
    )
  ]
}

/** What is wrong with a workload that selects the pods of its template. */
export const workloadCauses = (
  spec: unknown,
  before: unknown,
  restartPolicy: "Always"
): ReadonlyArray<StatusCause> => {
  const selector = at(spec, "selector")
  const template = at(spec, "template")
  const labels = at(template, "metadata", "labels")
  const isSelected =
    isObject(selector) && matches(selector, (labels ?? {}) as Readonly<Record<string, string>>)
  const isEmpty =
    isObject(selector) &&
    Object.keys((at(selector, "matchLabels") as JsonObject | undefined) ?? {}).length === 0 &&
    objectsAt(selector, "matchExpressions").length === 0
  const policy = at(template, "spec", "restartPolicy")
  return [
    ...FieldRules.notNegative("spec.replicas", at(spec, "replicas")),
    ...(selector === undefined ? [FieldRules.required("spec.selector")] : []),
    ...(isEmpty
      ? [FieldRules.invalid("spec.selector", selector, "empty selector is invalid for deployment")]
      : []),
    ...(isSelected || isEmpty
      ? []
      : [
          FieldRules.invalid(
            "spec.template.metadata.labels",
            labels,
            "`selector` does not match template `labels`"
          )
        ]),
    ...FieldRules.labels("spec.template.labels", labels),
    ...podSpecCauses(at(template, "spec"), "spec.template.spec"),
    ...(policy !== undefined && policy !== restartPolicy
      ? [FieldRules.unsupported("spec.template.spec.restartPolicy", policy, [restartPolicy])]
      : []),
    ...(before !== undefined && JSON.stringify(at(before, "selector")) !== JSON.stringify(selector)
      ? [FieldRules.invalid("spec.selector", selector, "field is immutable")]
      : [])
  ]
}
