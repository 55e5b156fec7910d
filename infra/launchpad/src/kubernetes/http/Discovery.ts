/** What clients ask before anything else: versions, groups and kinds, in the legacy and the aggregated form. Pure. */
import { createHash } from "node:crypto"
import type { ResourceType } from "../kinds/ResourceType.ts"
import * as ResourceTypes from "../ResourceTypes.ts"

const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]

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

const groupVersion = (group: string) => (group === "" ? "v1" : `${group}/v1`)

const subresourceVerbs = (name: string) => (name === "log" ? ["get"] : ["get", "patch", "update"])

export const apiVersions = {
  kind: "APIVersions",
  versions: ["v1"],
  serverAddressByClientCIDRs: []
}

const apiGroup = (group: string) => ({
  name: group,
  versions: [{ groupVersion: groupVersion(group), version: "v1" }],
  preferredVersion: { groupVersion: groupVersion(group), version: "v1" }
})

export const apiGroupList = () => ({
  kind: "APIGroupList",
  apiVersion: "v1",
  groups: ResourceTypes.groups()
    .filter(([group]) => group !== "")
    .map(([group]) => apiGroup(group))
})

export const apiGroupOf = (group: string) =>
  ResourceTypes.groups().some(([name]) => name === group && group !== "")
    ? { kind: "APIGroup", apiVersion: "v1", ...apiGroup(group) }
    : undefined

const listed = (type: ResourceType) => [
  {
    name: type.plural,
    singularName: type.singular,
    namespaced: type.namespaced,
    kind: type.kind,
    verbs,
    ...(type.shortNames.length === 0 ? {} : { shortNames: type.shortNames }),
    ...(type.categories.length === 0 ? {} : { categories: type.categories })
  },
  ...type.subresources.map((name) => ({
    name: `${type.plural}/${name}`,
    singularName: "",
    namespaced: type.namespaced,
    ...(name === "scale" ? { group: "autoscaling", version: "v1", kind: "Scale" } : { kind: type.kind }),
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
  responseKind: { group: type.group, version: type.version, kind: type.kind },
  scope: type.namespaced ? "Namespaced" : "Cluster",
  singularResource: type.singular,
  verbs,
  ...(type.shortNames.length === 0 ? {} : { shortNames: type.shortNames }),
  ...(type.categories.length === 0 ? {} : { categories: type.categories }),
  ...(type.subresources.length === 0
    ? {}
    : {
        subresources: type.subresources.map((name) => ({
          subresource: name,
          responseKind:
            name === "scale"
              ? { group: "autoscaling", version: "v1", kind: "Scale" }
              : { group: type.group, version: type.version, kind: type.kind },
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
      metadata: { ...(group === "" ? {} : { name: group }), creationTimestamp: null },
      versions: [{ version: "v1", resources: types.map(aggregated), freshness: "Current" }]
    }))
})

const openApiPath = (group: string) => (group === "" ? "api/v1" : `apis/${group}/v1`)

const parameter = (name: string) => ({ name, in: "query", schema: { type: "string", uniqueItems: true } })

/** Enough for clients to see which kinds there are and that fields are validated by the server. */
export const openApiDocument = (group: string) => {
  const types = ResourceTypes.groups().find(([name]) => name === group)?.[1]
  if (types === undefined) return undefined
  const paths = types.map((type) => {
    const scope = type.namespaced ? "/namespaces/{namespace}" : ""
    const operation = {
      parameters: ["dryRun", "fieldManager", "fieldValidation", "force"].map(parameter),
      responses: { "200": { description: "OK" } },
      "x-kubernetes-group-version-kind": { group: type.group, version: type.version, kind: type.kind }
    }
    return [
      `/${openApiPath(group)}${scope}/${type.plural}/{name}`,
      {
        patch: { ...operation, "x-kubernetes-action": "patch" },
        put: { ...operation, "x-kubernetes-action": "put" }
      }
    ]
  })
  return {
    openapi: "3.0.0",
    info: { title: "Starform Launchpad", version: version.gitVersion },
    paths: Object.fromEntries(paths) as Record<string, unknown>,
    components: { schemas: {} }
  }
}

const hashOf = (value: unknown): string =>
  createHash("sha512").update(JSON.stringify(value)).digest("hex").toUpperCase()

export const openApiIndex = () => ({
  paths: Object.fromEntries(
    ResourceTypes.groups().map(([group]) => {
      const path = openApiPath(group)
      const hash = hashOf(openApiDocument(group))
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }]
    })
  )
})
