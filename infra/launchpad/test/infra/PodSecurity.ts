/**
 * The restricted level of the Pod Security Standards, for the pod specs that stand in infra/kubernetes.
 * @source https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
 */
interface SecurityContext {
  readonly runAsNonRoot?: boolean
  readonly runAsUser?: number
  readonly privileged?: boolean
  readonly allowPrivilegeEscalation?: boolean
  readonly readOnlyRootFilesystem?: boolean
  readonly seccompProfile?: { readonly type: string }
  readonly capabilities?: { readonly drop?: ReadonlyArray<string>; readonly add?: ReadonlyArray<string> }
}

interface Container {
  readonly name: string
  readonly image: string
  readonly securityContext?: SecurityContext
  readonly ports?: ReadonlyArray<{ readonly hostPort?: number }>
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>
    readonly limits?: Readonly<Record<string, string>>
  }
  readonly livenessProbe?: unknown
  readonly readinessProbe?: unknown
}

export interface PodSpec {
  readonly securityContext?: SecurityContext
  readonly containers: ReadonlyArray<Container>
  readonly initContainers?: ReadonlyArray<Container>
  readonly volumes?: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly hostNetwork?: boolean
  readonly hostPID?: boolean
  readonly hostIPC?: boolean
}

const volumeTypes = new Set([
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret"
])

const ofContainer = (pod: PodSpec, container: Container): ReadonlyArray<string> => {
  const own = container.securityContext ?? {}
  const whole = { ...pod.securityContext, ...own }
  const rules: ReadonlyArray<readonly [isBroken: boolean, rule: string]> = [
    [whole.runAsNonRoot !== true, "runAsNonRoot is not true"],
    [whole.runAsUser === 0, "runs as root"],
    [own.privileged === true, "is privileged"],
    [own.allowPrivilegeEscalation !== false, "allowPrivilegeEscalation is not false"],
    [!(own.capabilities?.drop ?? []).includes("ALL"), "does not drop all capabilities"],
    [(own.capabilities?.add ?? []).some((name) => name !== "NET_BIND_SERVICE"), "adds capabilities"],
    [!["RuntimeDefault", "Localhost"].includes(whole.seccompProfile?.type ?? ""), "has no seccomp profile"],
    [(container.ports ?? []).some(({ hostPort }) => hostPort !== undefined), "takes a port of the host"]
  ]
  return rules.flatMap(([isBroken, rule]) => (isBroken ? [`${container.name} ${rule}`] : []))
}

/** What keeps a pod out of a namespace of level restricted. */
export const breaches = (pod: PodSpec): ReadonlyArray<string> => [
  ...[...pod.containers, ...(pod.initContainers ?? [])].flatMap((container) => ofContainer(pod, container)),
  ...(pod.hostNetwork || pod.hostPID || pod.hostIPC ? ["shares a namespace of the host"] : []),
  ...(pod.volumes ?? []).flatMap((volume) =>
    Object.keys(volume).some((key) => key !== "name" && !volumeTypes.has(key))
      ? [`volume ${String(volume["name"])} is of a type that is not allowed`]
      : []
  )
]
