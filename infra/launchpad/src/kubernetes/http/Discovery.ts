/** What clients ask before anything else: versions, groups and kinds, in the legacy and the aggregated form. Pure. */
import type { ResourceType, Subresource } from "../kinds/ResourceType.ts"
import * as ResourceTypes from "../ResourceTypes.ts"

/** The Kubernetes whose recorded behaviour this server follows. */
export const version = {
  major: "1",
  minor: "36",
  gitVersion: "v1.36.2+launchpad",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "2026-01-01T00:00:00Z",
  goVersion: "",
  compiler: "",
  platform: "linux/amd64"
}

const versionOf = (group: string) => ResourceTypes.versionOf(group) ?? "v1"

const groupVersion = (group: string) => (group === "" ? "v1" : `${group}/${versionOf(group)}`)

const verbsOf = (type: ResourceType): ReadonlyArray<string> => [
  "create",
  "delete",
  ...(type.hasDeleteCollection ? ["deletecollection"] : []),
  "get",
  "list",
  "patch",
  "update",
  "watch"
]

const subresourceVerbs = (name: Subresource) => (name === "log" ? ["get"] : ["get", "patch", "update"])

const subresourceKind = (type: ResourceType, name: Subresource) =>
  name === "scale" ? { group: "autoscaling", version: "v1", kind: "Scale" } : responseKind(type)

/** Built-in kinds leave their group to be that of the list. */
const responseKind = ({ isBuiltIn, group, version: name, kind }: ResourceType) =>
  isBuiltIn ? { group: "", version: "", kind } : { group, version: name, kind }

const names = ({ shortNames, categories }: ResourceType) => ({
  ...(shortNames.length === 0 ? {} : { shortNames }),
  ...(categories.length === 0 ? {} : { categories })
})

export const apiVersions = {
  kind: "APIVersions",
  versions: ["v1"],
  serverAddressByClientCIDRs: []
}

const apiGroup = (group: string) => ({
  name: group,
  versions: [{ groupVersion: groupVersion(group), version: versionOf(group) }],
  preferredVersion: { groupVersion: groupVersion(group), version: versionOf(group) }
})

export const apiGroupList = () => ({
  kind: "APIGroupList",
  apiVersion: "v1",
  groups: ResourceTypes.groups()
    .filter(([group]) => group !== "")
    .map(([group]) => apiGroup(group))
})

export const isGroup = (group: string): boolean => ResourceTypes.groups().some(([name]) => name === group)

export const apiGroupOf = (group: string) =>
  isGroup(group) && group !== "" ? { kind: "APIGroup", apiVersion: "v1", ...apiGroup(group) } : undefined

const listed = (type: ResourceType) => [
  {
    name: type.plural,
    singularName: type.singular,
    namespaced: type.namespaced,
    kind: type.kind,
    verbs: verbsOf(type),
    ...names(type)
  },
  ...type.subresources.map((name) => ({
    name: `${type.plural}/${name}`,
    singularName: "",
    namespaced: type.namespaced,
    ...(name === "scale" ? subresourceKind(type, name) : { kind: type.kind }),
    verbs: subresourceVerbs(name)
  }))
]

export const apiResourceList = (group: string) => {
  const types = ResourceTypes.groups().find(([name]) => name === group)?.[1]
  return types === undefined
    ? undefined
    : {
        kind: "APIResourceList",
        ...(group === "" ? {} : { apiVersion: "v1" }),
        groupVersion: groupVersion(group),
        resources: types.flatMap(listed)
      }
}

const aggregated = (type: ResourceType) => ({
  resource: type.plural,
  responseKind: responseKind(type),
  scope: type.namespaced ? "Namespaced" : "Cluster",
  singularResource: type.singular,
  verbs: verbsOf(type),
  ...names(type),
  ...(type.subresources.length === 0
    ? {}
    : {
        subresources: type.subresources.map((name) => ({
          subresource: name,
          responseKind: subresourceKind(type, name),
          verbs: subresourceVerbs(name)
        }))
      })
})

/** `core` is what `/api` answers, otherwise `/apis`. */
export const aggregatedDiscovery = (core: boolean) => ({
  kind: "APIGroupDiscoveryList",
  apiVersion: "apidiscovery.k8s.io/v2",
  metadata: {},
  items: ResourceTypes.groups()
    .filter(([group]) => (group === "") === core)
    .map(([group, types]) => ({
      metadata: group === "" ? {} : { name: group },
      versions: [{ version: versionOf(group), resources: types.map(aggregated), freshness: "Current" }]
    }))
})
