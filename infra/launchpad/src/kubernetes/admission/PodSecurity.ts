/**
 * The *restricted* Pod Security level: what a pod must say of itself, and the complaints about one that does not. Pure.
 * @source the checks of Kubernetes' Pod Security Standards that the fields of Linux containers can break
 */
import type { KubernetesObject } from "../ClusterObjects.ts"
import { isObject, type JsonObject } from "../JsonValue.ts"
import { at, objectsAt, text } from "../kinds/TableColumn.ts"
import * as PodResources from "./PodResources.ts"

const prefix = "pod-security.kubernetes.io/"

const quoted = (names: ReadonlyArray<string>): string => names.map((name) => JSON.stringify(name)).join(", ")

const plural = (word: string, names: ReadonlyArray<string>): string =>
  `${word}${names.length === 1 ? "" : "s"} ${quoted(names)}`

const setting = (container: JsonObject, ...path: ReadonlyArray<string>): unknown =>
  at(container, "securityContext", ...path)

const listAt = (container: JsonObject, key: string): ReadonlyArray<string> => {
  const value = setting(container, "capabilities", key)
  return Array.isArray(value) ? value.map(String) : []
}

interface Pod {
  readonly spec: JsonObject
  readonly containers: ReadonlyArray<JsonObject>
}

const named = ({ containers }: Pod, isWrong: (container: JsonObject) => boolean): ReadonlyArray<string> =>
  containers.filter(isWrong).map(PodResources.nameOf)

/** `containers "a", "b" must …`; nothing when there are none. */
const told = (names: ReadonlyArray<string>, rule: string, word = "container"): ReadonlyArray<string> =>
  names.length === 0 ? [] : [`${plural(word, names)} ${rule}`]

interface Check {
  readonly reason: string
  readonly details: (pod: Pod) => ReadonlyArray<string>
}

const freeVolumes = new Set([
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret"
])

const volumeDetails = ({ spec }: Pod): ReadonlyArray<string> => {
  const wrong = objectsAt(spec, "volumes").flatMap((volume) =>
    Object.keys(volume)
      .filter((key) => key !== "name" && !freeVolumes.has(key))
      .map((type) => ({ name: text(volume["name"], ""), type }))
  )
  if (wrong.length === 0) return []
  const types = [...new Set(wrong.map(({ type }) => type))].sort()
  const volumes = plural(
    "volume",
    wrong.map(({ name }) => name)
  )
  return [`${volumes} ${wrong.length === 1 ? "uses" : "use"} ${plural("restricted volume type", types)}`]
}

const nonRootDetails = (pod: Pod): ReadonlyArray<string> => {
  const ofPod = setting(pod.spec, "runAsNonRoot")
  const rule = "must not set securityContext.runAsNonRoot=false"
  const wrong = told(
    named(pod, (container) => setting(container, "runAsNonRoot") === false),
    rule
  )
  const silent = named(pod, (container) => setting(container, "runAsNonRoot") === undefined)
  if (ofPod === false && (wrong.length > 0 || silent.length > 0)) return [`pod ${rule}`, ...wrong]
  if (wrong.length > 0) return wrong
  return ofPod === true ? [] : told(silent, "must set securityContext.runAsNonRoot=true", "pod or container")
}

const seccompDetails = (pod: Pod): ReadonlyArray<string> => {
  const good = ["RuntimeDefault", "Localhost"]
  const typeOf = (from: JsonObject) => setting(from, "seccompProfile", "type")
  const isBad = (type: unknown) => type !== undefined && !good.includes(String(type))
  const rule = (type: unknown) =>
    `must not set securityContext.seccompProfile.type to ${JSON.stringify(type)}`
  const wrong = [
    ...(isBad(typeOf(pod.spec)) ? [`pod ${rule(typeOf(pod.spec))}`] : []),
    ...pod.containers
      .filter((container) => isBad(typeOf(container)))
      .flatMap((container) => told([PodResources.nameOf(container)], rule(typeOf(container))))
  ]
  if (wrong.length > 0) return wrong
  if (typeOf(pod.spec) !== undefined) return []
  return told(
    named(pod, (container) => typeOf(container) === undefined),
    'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"',
    "pod or container"
  )
}

/** In Kubernetes' order. */
const checks: ReadonlyArray<Check> = [
  {
    reason: "allowPrivilegeEscalation != false",
    details: (pod) =>
      told(
        named(pod, (container) => setting(container, "allowPrivilegeEscalation") !== false),
        "must set securityContext.allowPrivilegeEscalation=false"
      )
  },
  {
    reason: "unrestricted capabilities",
    details: (pod) => [
      ...told(
        named(pod, (container) => !listAt(container, "drop").includes("ALL")),
        'must set securityContext.capabilities.drop=["ALL"]'
      ),
      ...pod.containers.flatMap((container) => {
        const extra = listAt(container, "add").filter((capability) => capability !== "NET_BIND_SERVICE")
        return extra.length === 0
          ? []
          : told(
              [PodResources.nameOf(container)],
              `must not include ${quoted(extra.sort())} in securityContext.capabilities.add`
            )
      })
    ]
  },
  {
    reason: "host namespaces",
    details: ({ spec }) => {
      const used = ["hostNetwork", "hostPID", "hostIPC"].filter((key) => spec[key] === true)
      return used.length === 0 ? [] : [used.map((key) => `${key}=true`).join(", ")]
    }
  },
  {
    reason: "hostPort",
    details: (pod) =>
      pod.containers.flatMap((container) => {
        const ports = objectsAt(container, "ports").flatMap(({ hostPort }) =>
          typeof hostPort === "number" && hostPort !== 0 ? [hostPort] : []
        )
        const rule = `uses hostPort${ports.length === 1 ? "" : "s"} ${ports.join(", ")}`
        return ports.length === 0 ? [] : told([PodResources.nameOf(container)], rule)
      })
  },
  {
    reason: "privileged",
    details: (pod) =>
      told(
        named(pod, (container) => setting(container, "privileged") === true),
        "must not set securityContext.privileged=true"
      )
  },
  { reason: "restricted volume types", details: volumeDetails },
  { reason: "runAsNonRoot != true", details: nonRootDetails },
  {
    reason: "runAsUser=0",
    details: (pod) => [
      ...(setting(pod.spec, "runAsUser") === 0 ? ["pod must not set runAsUser=0"] : []),
      ...told(
        named(pod, (container) => setting(container, "runAsUser") === 0),
        "must not set runAsUser=0"
      )
    ]
  },
  { reason: "seccompProfile", details: seccompDetails }
]

/** What is wrong with a pod's spec, in one line; `undefined` when nothing is. */
export const complaint = (spec: JsonObject): string | undefined => {
  const pod: Pod = {
    spec,
    containers: [...PodResources.initContainersOf(spec), ...PodResources.containersOf(spec)]
  }
  const lines = checks.flatMap(({ reason, details }) => {
    const found = details(pod)
    return found.length === 0 ? [] : [`${reason} (${found.join("; ")})`]
  })
  return lines.length === 0 ? undefined : lines.join(", ")
}

const violation = (
  namespace: KubernetesObject,
  mode: "enforce" | "warn",
  spec: unknown
): string | undefined => {
  const labels = namespace.metadata.labels ?? {}
  const level = labels[`${prefix}${mode}`] ?? labels[`${prefix}enforce`]
  if (level !== "restricted" || !isObject(spec)) return undefined
  const found = complaint(spec)
  const version = labels[`${prefix}${mode}-version`] ?? labels[`${prefix}enforce-version`] ?? "latest"
  return found === undefined ? undefined : `PodSecurity "${level}:${version}": ${found}`
}

/** Why a pod is refused in a namespace. */
export const refusal = (namespace: KubernetesObject, spec: unknown): string | undefined => {
  const found = violation(namespace, "enforce", spec)
  return found === undefined ? undefined : `violates ${found}`
}

/** What the author of a template should know before its pods are refused. */
export const warning = (namespace: KubernetesObject, spec: unknown): string | undefined => {
  const found = violation(namespace, "warn", spec)
  return found === undefined ? undefined : `would violate ${found}`
}
