/** The kinds that the local cluster serves. Adding one is one entry here, and its structure in `schema/generated`. */
export interface PrinterColumn {
  readonly name: string
  readonly type: string
  /** Path of field names below the object; `age` is computed. */
  readonly path: ReadonlyArray<string>
}

export interface ResourceType {
  /** As controllers name it: `apps/deployments`; without a group `pods`. */
  readonly resource: string
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly singular: string
  readonly kind: string
  readonly namespaced: boolean
  readonly shortNames: ReadonlyArray<string>
  readonly categories: ReadonlyArray<string>
  readonly subresources: ReadonlyArray<"status" | "scale" | "log">
  /** Whether a change of anything but status and metadata counts up `metadata.generation`. */
  readonly hasGeneration: boolean
  /** Fields that a `fieldSelector` may name, beside name and namespace. */
  readonly selectable: ReadonlyArray<string>
}

interface Entry {
  readonly kind: string
  readonly plural?: string
  readonly group?: string
  readonly namespaced?: boolean
  readonly shortNames?: ReadonlyArray<string>
  readonly inAll?: boolean
  readonly subresources?: ResourceType["subresources"]
  readonly hasGeneration?: boolean
  readonly selectable?: ReadonlyArray<string>
}

const entry = (given: Entry): ResourceType => {
  const singular = given.kind.toLowerCase()
  const plural = given.plural ?? `${singular}s`
  const group = given.group ?? ""
  return {
    resource: group === "" ? plural : `${group}/${plural}`,
    group,
    version: "v1",
    plural,
    singular,
    kind: given.kind,
    namespaced: given.namespaced ?? true,
    shortNames: given.shortNames ?? [],
    categories: given.inAll === true ? ["all"] : [],
    subresources: given.subresources ?? [],
    hasGeneration: given.hasGeneration ?? false,
    selectable: given.selectable ?? []
  }
}

const gateway = "gateway.networking.k8s.io"

export const all: ReadonlyArray<ResourceType> = [
  entry({
    kind: "Namespace",
    namespaced: false,
    shortNames: ["ns"],
    subresources: ["status"],
    selectable: ["status.phase"]
  }),
  entry({
    kind: "Pod",
    shortNames: ["po"],
    inAll: true,
    subresources: ["status", "log"],
    hasGeneration: true,
    selectable: ["spec.nodeName", "status.phase", "status.podIP", "spec.restartPolicy"]
  }),
  entry({ kind: "Service", shortNames: ["svc"], inAll: true, subresources: ["status"] }),
  entry({ kind: "ConfigMap", shortNames: ["cm"] }),
  entry({ kind: "Secret", selectable: ["type"] }),
  entry({ kind: "ServiceAccount", shortNames: ["sa"] }),
  entry({
    kind: "Event",
    shortNames: ["ev"],
    selectable: [
      "involvedObject.kind",
      "involvedObject.name",
      "involvedObject.namespace",
      "involvedObject.uid",
      "reason",
      "type"
    ]
  }),
  entry({ kind: "Node", namespaced: false, shortNames: ["no"], subresources: ["status"] }),
  entry({
    kind: "Deployment",
    group: "apps",
    shortNames: ["deploy"],
    inAll: true,
    subresources: ["status", "scale"],
    hasGeneration: true
  }),
  entry({
    kind: "ReplicaSet",
    group: "apps",
    shortNames: ["rs"],
    inAll: true,
    subresources: ["status", "scale"],
    hasGeneration: true
  }),
  entry({ kind: "EndpointSlice", group: "discovery.k8s.io", hasGeneration: true }),
  entry({ kind: "Lease", group: "coordination.k8s.io" }),
  entry({
    kind: "GatewayClass",
    plural: "gatewayclasses",
    group: gateway,
    namespaced: false,
    shortNames: ["gc"],
    subresources: ["status"],
    hasGeneration: true
  }),
  entry({
    kind: "Gateway",
    group: gateway,
    shortNames: ["gtw"],
    subresources: ["status"],
    hasGeneration: true
  }),
  entry({ kind: "HTTPRoute", group: gateway, subresources: ["status"], hasGeneration: true })
]

const byResource = new Map(all.map((type) => [type.resource, type]))

export const find = (resource: string): ResourceType | undefined => byResource.get(resource)

export const apiVersionOf = (type: ResourceType): string =>
  type.group === "" ? type.version : `${type.group}/${type.version}`

/** Groups with their kinds, the core group first. */
export const groups = (): ReadonlyArray<readonly [group: string, types: ReadonlyArray<ResourceType>]> => {
  const names = [...new Set(all.map(({ group }) => group))]
  return names.map((name) => [name, all.filter(({ group }) => group === name)] as const)
}
