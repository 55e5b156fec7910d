/** Which objects a path of the Kubernetes API means. Pure. */
import type { ResourceType } from "../kinds/ResourceType.ts"
import { isGroup } from "./Discovery.ts"
import * as ResourceTypes from "../ResourceTypes.ts"

export interface ResourceRequest {
  readonly type: ResourceType
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly subresource: string | undefined
}

/** `undefined` for a path below which nothing lives; some paths of a group that there is lead to no kind. */
export const parse = (path: string): ResourceRequest | "unknown kind" | undefined => {
  const segments = path
    .split("/")
    .filter((segment) => segment !== "")
    .map(decodeURIComponent)
  const isCore = segments[0] === "api"
  if (!isCore && segments[0] !== "apis") return undefined
  const group = isCore ? "" : (segments[1] ?? "")
  const version = segments[isCore ? 1 : 2]
  const rest = segments.slice(isCore ? 2 : 3)
  if (!isGroup(group) || version !== ResourceTypes.versionOf(group)) return undefined
  const locate = (plural: string) => ResourceTypes.find(group === "" ? plural : `${group}/${plural}`)
  if (rest[0] === "namespaces" && rest.length > 2) {
    const [, namespace, plural = "", name, subresource, ...more] = rest
    const type = locate(plural)
    if (type?.namespaced === true && more.length === 0) return { type, namespace, name, subresource }
    if (plural !== "status" && plural !== "finalize") return "unknown kind"
  }
  const [plural = "", name, subresource, ...more] = rest
  const type = locate(plural)
  if (type === undefined || more.length > 0) return "unknown kind"
  if (type.namespaced && name !== undefined) return "unknown kind"
  return { type, namespace: undefined, name, subresource }
}
