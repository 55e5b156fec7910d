/** The kinds that the agent writes or watches, and where the API server has them. */
interface ResourceFacts {
  readonly apiVersion: string
  readonly plural: string
  readonly namespaced: boolean
}

const facts = {
  Namespace: { apiVersion: "v1", plural: "namespaces", namespaced: false },
  ServiceAccount: { apiVersion: "v1", plural: "serviceaccounts", namespaced: true },
  Role: { apiVersion: "rbac.authorization.k8s.io/v1", plural: "roles", namespaced: true },
  RoleBinding: { apiVersion: "rbac.authorization.k8s.io/v1", plural: "rolebindings", namespaced: true },
  NetworkPolicy: { apiVersion: "networking.k8s.io/v1", plural: "networkpolicies", namespaced: true },
  ResourceQuota: { apiVersion: "v1", plural: "resourcequotas", namespaced: true },
  LimitRange: { apiVersion: "v1", plural: "limitranges", namespaced: true },
  Secret: { apiVersion: "v1", plural: "secrets", namespaced: true },
  ConfigMap: { apiVersion: "v1", plural: "configmaps", namespaced: true },
  Deployment: { apiVersion: "apps/v1", plural: "deployments", namespaced: true },
  CronJob: { apiVersion: "batch/v1", plural: "cronjobs", namespaced: true },
  Service: { apiVersion: "v1", plural: "services", namespaced: true },
  HorizontalPodAutoscaler: {
    apiVersion: "autoscaling/v2",
    plural: "horizontalpodautoscalers",
    namespaced: true
  },
  PodDisruptionBudget: { apiVersion: "policy/v1", plural: "poddisruptionbudgets", namespaced: true },
  HTTPRoute: { apiVersion: "gateway.networking.k8s.io/v1", plural: "httproutes", namespaced: true },
  ReplicaSet: { apiVersion: "apps/v1", plural: "replicasets", namespaced: true },
  Job: { apiVersion: "batch/v1", plural: "jobs", namespaced: true },
  Pod: { apiVersion: "v1", plural: "pods", namespaced: true },
  Gateway: { apiVersion: "gateway.networking.k8s.io/v1", plural: "gateways", namespaced: true }
} as const satisfies Record<string, ResourceFacts>

export type ResourceKind = keyof typeof facts

/** Kinds that we write, in the order in which they are applied; pruned in the reverse order. */
export const writtenKinds = [
  "Namespace",
  "ServiceAccount",
  "Role",
  "RoleBinding",
  "NetworkPolicy",
  "ResourceQuota",
  "LimitRange",
  "Secret",
  "ConfigMap",
  "Deployment",
  "CronJob",
  "Service",
  "HorizontalPodAutoscaler",
  "PodDisruptionBudget",
  "HTTPRoute"
] as const satisfies ReadonlyArray<ResourceKind>

/** Kinds that others make from ours and that reports are read from. */
export const derivedKinds = ["ReplicaSet", "Job", "Pod"] as const satisfies ReadonlyArray<ResourceKind>

export const watchedKinds: ReadonlyArray<ResourceKind> = [...writtenKinds, ...derivedKinds]

const waves: Readonly<Record<ResourceKind, number>> = {
  Namespace: 0,
  ServiceAccount: 1,
  Role: 1,
  RoleBinding: 1,
  NetworkPolicy: 1,
  ResourceQuota: 1,
  LimitRange: 1,
  Secret: 2,
  ConfigMap: 2,
  Deployment: 3,
  CronJob: 3,
  Service: 4,
  HorizontalPodAutoscaler: 4,
  PodDisruptionBudget: 4,
  HTTPRoute: 5,
  ReplicaSet: 6,
  Job: 6,
  Pod: 6,
  /** Not ours: one field of it is, see `GatewaySize`. */
  Gateway: 6
}

/** Lower waves are applied first and pruned last. */
export const waveOf = (kind: ResourceKind): number => waves[kind]

export const apiVersionOf = (kind: ResourceKind): string => facts[kind].apiVersion

/** One object by name; `namespace` is `null` for what has none. */
export interface ObjectReference {
  readonly kind: ResourceKind
  readonly namespace: string | null
  readonly name: string
}

/** Text that is equal for equal references and for nothing else. */
export const keyOf = (reference: ObjectReference): string =>
  `${reference.kind}/${reference.namespace ?? ""}/${reference.name}`

const groupPath = (apiVersion: string): string =>
  apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`

/** Path of all objects of a kind, in every namespace. */
/** As the API spells it in paths: `pods`. */
export const pluralOf = (kind: ResourceKind): string => facts[kind].plural

export const collectionPath = (kind: ResourceKind): string =>
  `${groupPath(facts[kind].apiVersion)}/${facts[kind].plural}`

export const objectPath = (reference: ObjectReference): string => {
  const { apiVersion, namespaced, plural } = facts[reference.kind]
  const scope = namespaced ? `/namespaces/${encodeURIComponent(reference.namespace ?? "")}` : ""
  return `${groupPath(apiVersion)}${scope}/${plural}/${encodeURIComponent(reference.name)}`
}
