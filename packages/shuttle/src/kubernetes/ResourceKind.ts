/** The kinds that the agent writes or watches, and where the API server has them. */
interface ResourceFacts {
  readonly apiVersion: string
  readonly plural: string
  readonly namespaced: boolean
}

const facts = {
  Namespace: { apiVersion: "v1", plural: "namespaces", namespaced: false },
  ServiceAccount: { apiVersion: "v1", plural: "serviceaccounts", namespaced: true },
  Secret: { apiVersion: "v1", plural: "secrets", namespaced: true },
  ConfigMap: { apiVersion: "v1", plural: "configmaps", namespaced: true },
  Deployment: { apiVersion: "apps/v1", plural: "deployments", namespaced: true },
  Service: { apiVersion: "v1", plural: "services", namespaced: true },
  HTTPRoute: { apiVersion: "gateway.networking.k8s.io/v1", plural: "httproutes", namespaced: true },
  ReplicaSet: { apiVersion: "apps/v1", plural: "replicasets", namespaced: true },
  Pod: { apiVersion: "v1", plural: "pods", namespaced: true }
} as const satisfies Record<string, ResourceFacts>

export type ResourceKind = keyof typeof facts

/** Kinds that we write, in the order in which they are applied; pruned in the reverse order. */
export const writtenKinds = [
  "Namespace",
  "ServiceAccount",
  "Secret",
  "ConfigMap",
  "Deployment",
  "Service",
  "HTTPRoute"
] as const satisfies ReadonlyArray<ResourceKind>

/** Kinds that others make from ours and that reports are read from. */
export const derivedKinds = ["ReplicaSet", "Pod"] as const satisfies ReadonlyArray<ResourceKind>

export const watchedKinds: ReadonlyArray<ResourceKind> = [...writtenKinds, ...derivedKinds]

const waves: Readonly<Record<ResourceKind, number>> = {
  Namespace: 0,
  ServiceAccount: 1,
  Secret: 2,
  ConfigMap: 2,
  Deployment: 3,
  Service: 4,
  HTTPRoute: 5,
  ReplicaSet: 6,
  Pod: 6
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
export const collectionPath = (kind: ResourceKind): string =>
  `${groupPath(facts[kind].apiVersion)}/${facts[kind].plural}`

export const objectPath = (reference: ObjectReference): string => {
  const { apiVersion, namespaced, plural } = facts[reference.kind]
  const scope = namespaced ? `/namespaces/${encodeURIComponent(reference.namespace ?? "")}` : ""
  return `${groupPath(apiVersion)}${scope}/${plural}/${encodeURIComponent(reference.name)}`
}
