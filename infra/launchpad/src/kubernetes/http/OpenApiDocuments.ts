/** Enough OpenAPI for clients to see which kinds there are and that fields are validated by the server. Pure. */
import { createHash } from "node:crypto"
import * as ResourceTypes from "../ResourceTypes.ts"
import { version } from "./Discovery.ts"

export const pathOf = (group: string) => {
  const version = ResourceTypes.versionOf(group) ?? "v1"
  return group === "" ? `api/${version}` : `apis/${group}/${version}`
}

const parameter = (name: string) => ({ name, in: "query", schema: { type: "string", uniqueItems: true } })

/** `undefined` for a group that there is not. */
export const ofGroup = (group: string) => {
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
      `/${pathOf(group)}${scope}/${type.plural}/{name}`,
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

/** As entity tags and as the `hash` by which clients keep documents. */
export const hashOf = (value: unknown): string =>
  createHash("sha512").update(JSON.stringify(value)).digest("hex").toUpperCase()

export const index = () => ({
  paths: Object.fromEntries(
    ResourceTypes.groups().map(([group]) => {
      const path = pathOf(group)
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hashOf(ofGroup(group))}` }]
    })
  )
})
