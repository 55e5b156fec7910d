/** What the server fills in on a write, per kind, as a real one does for these kinds. Pure; never recorded as owned. */
import { isObject, type JsonObject } from "../JsonValue.ts"

const defaulted = (object: JsonObject, defaults: JsonObject): JsonObject => {
  const missing = Object.entries(defaults).filter(([key]) => object[key] === undefined)
  return missing.length === 0 ? object : { ...object, ...Object.fromEntries(missing) }
}

const mapField = (object: JsonObject, key: string, f: (value: JsonObject) => JsonObject): JsonObject => {
  const value = object[key]
  return isObject(value) ? { ...object, [key]: f(value) } : object
}

const mapItems = (object: JsonObject, key: string, f: (value: JsonObject) => JsonObject): JsonObject => {
  const value = object[key]
  return Array.isArray(value)
    ? { ...object, [key]: value.map((item) => (isObject(item) ? f(item) : item)) }
    : object
}

const probe = (value: JsonObject): JsonObject => {
  const base = defaulted(value, {
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3
  })
  return mapField(base, "httpGet", (get) => defaulted(get, { path: "/", scheme: "HTTP" }))
}

const pullPolicy = (image: unknown): string => {
  const text = String(image ?? "")
  const tag = /:([^/@]+)$/.exec(text.split("@")[0] ?? "")?.[1]
  return text.includes("@") || (tag !== undefined && tag !== "latest") ? "IfNotPresent" : "Always"
}

const container = (value: JsonObject): JsonObject => {
  const withPorts = mapItems(value, "ports", (port) => defaulted(port, { protocol: "TCP" }))
  const withEnv = mapItems(withPorts, "env", (variable) =>
    mapField(variable, "valueFrom", (from) =>
      mapField(from, "fieldRef", (reference) => defaulted(reference, { apiVersion: "v1" }))
    )
  )
  const withProbes = ["livenessProbe", "readinessProbe", "startupProbe"].reduce(
    (current, name) => mapField(current, name, probe),
    withEnv
  )
  return defaulted(withProbes, {
    resources: {},
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    imagePullPolicy: pullPolicy(value["image"])
  })
}

export const podSpec = (spec: JsonObject): JsonObject =>
  defaulted(mapItems(mapItems(spec, "containers", container), "initContainers", container), {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    securityContext: {},
    schedulerName: "default-scheduler"
  })

const template = (spec: JsonObject): JsonObject =>
  mapField(spec, "template", (value) => mapField(value, "spec", podSpec))

const deploymentSpec = (spec: JsonObject): JsonObject => {
  const base = defaulted(template(spec), {
    replicas: 1,
    strategy: {},
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600
  })
  return mapField(base, "strategy", (strategy) => {
    const typed = defaulted(strategy, { type: "RollingUpdate" })
    if (typed["type"] !== "RollingUpdate") return typed
    return mapField(defaulted(typed, { rollingUpdate: {} }), "rollingUpdate", (rolling) =>
      defaulted(rolling, { maxUnavailable: "25%", maxSurge: "25%" })
    )
  })
}

const serviceSpec = (spec: JsonObject): JsonObject => {
  const withPorts = mapItems(spec, "ports", (port) =>
    defaulted(port, { protocol: "TCP", targetPort: port["port"] })
  )
  return defaulted(withPorts, {
    type: "ClusterIP",
    sessionAffinity: "None",
    ipFamilies: ["IPv4"],
    ipFamilyPolicy: "SingleStack",
    internalTrafficPolicy: "Cluster",
    clusterIP: "None",
    clusterIPs: ["None"]
  })
}

const backend = (value: JsonObject): JsonObject => defaulted(value, { group: "", kind: "Service", weight: 1 })

const routeSpec = (spec: JsonObject): JsonObject => {
  const withParents = mapItems(spec, "parentRefs", (parent) =>
    defaulted(parent, { group: "gateway.networking.k8s.io", kind: "Gateway" })
  )
  const rooted = defaulted(withParents, { rules: [{}] })
  return mapItems(rooted, "rules", (rule) => {
    const matched = mapItems(
      defaulted(rule, { matches: [{ path: { type: "PathPrefix", value: "/" } }] }),
      "matches",
      (match) =>
        mapField(defaulted(match, { path: { type: "PathPrefix", value: "/" } }), "path", (path) =>
          defaulted(path, { type: "PathPrefix", value: "/" })
        )
    )
    return mapItems(matched, "backendRefs", backend)
  })
}

const gatewaySpec = (spec: JsonObject): JsonObject =>
  mapItems(spec, "listeners", (listener) =>
    defaulted(listener, { allowedRoutes: { namespaces: { from: "Same" } } })
  )

/** `stringData` is write-only: it ends up in `data`. */
const secret = (object: JsonObject): JsonObject => {
  const { stringData, ...rest } = object
  const typed = defaulted(rest, { type: "Opaque" })
  if (!isObject(stringData)) return typed
  const added = Object.entries(stringData).map(([key, value]): [string, string] => [
    key,
    Buffer.from(String(value), "utf8").toString("base64")
  ])
  const data = isObject(typed["data"]) ? typed["data"] : {}
  return { ...typed, data: { ...data, ...Object.fromEntries(added) } }
}

const namespace = (object: JsonObject): JsonObject => {
  const metadata = isObject(object["metadata"]) ? object["metadata"] : {}
  const labels = isObject(metadata["labels"]) ? metadata["labels"] : {}
  return {
    ...defaulted(object, { spec: { finalizers: ["kubernetes"] }, status: { phase: "Active" } }),
    metadata: { ...metadata, labels: { ...labels, "kubernetes.io/metadata.name": metadata["name"] } }
  }
}

const gatewayConditions = ["Accepted", "Programmed"].map((type) => ({
  type,
  status: "Unknown",
  reason: "Pending",
  message: "Waiting for controller",
  lastTransitionTime: "1970-01-01T00:00:00Z"
}))

export const apply = (kind: string, object: JsonObject): JsonObject => {
  switch (kind) {
    case "Namespace":
      return namespace(object)
    case "Secret":
      return secret(object)
    case "Pod":
      return defaulted(
        mapField(object, "spec", (spec) =>
          defaulted(podSpec(spec), {
            enableServiceLinks: true,
            preemptionPolicy: "PreemptLowerPriority",
            priority: 0
          })
        ),
        { status: { phase: "Pending", qosClass: "Burstable" } }
      )
    case "Deployment":
      return defaulted(mapField(object, "spec", deploymentSpec), { status: {} })
    case "ReplicaSet":
      return defaulted(
        mapField(object, "spec", (spec) => defaulted(template(spec), { replicas: 1 })),
        { status: { replicas: 0 } }
      )
    case "Service":
      return defaulted(mapField(object, "spec", serviceSpec), { status: { loadBalancer: {} } })
    case "Event":
      return defaulted(object, { eventTime: null, reportingComponent: "", reportingInstance: "", source: {} })
    case "HTTPRoute":
      return mapField(object, "spec", routeSpec)
    case "Gateway":
      return defaulted(mapField(object, "spec", gatewaySpec), { status: { conditions: gatewayConditions } })
    default:
      return object
  }
}
