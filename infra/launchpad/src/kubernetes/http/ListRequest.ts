/** Lists: selection, pages, and the form in which they are asked for. Pure. */
import * as Result from "effect/Result"
import type { ApiStatus } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { without } from "../JsonValue.ts"
import type { ObjectStore } from "../ObjectStore.ts"
import { apiVersionOf, type ResourceType } from "../kinds/ResourceType.ts"
import * as Selectors from "../Selectors.ts"
import * as Statuses from "../Statuses.ts"
import { partial, table } from "./TableFormat.ts"

/** How objects are answered: as they are, as a table, or their metadata alone. */
export type Form = "object" | "table" | "metadata"

export const formOf = (accept: string): Form => {
  const first = accept.split(",")[0] ?? ""
  if (/as=Table/.test(first)) return "table"
  return /as=PartialObjectMetadata/.test(first) ? "metadata" : "object"
}

/** All selectors of a request as one predicate. */
export const selection = (
  type: ResourceType,
  namespace: string | undefined,
  query: URLSearchParams
): Result.Result<Selectors.Predicate, ApiStatus> => {
  const labels = Selectors.label(query.get("labelSelector") ?? "")
  if (Result.isFailure(labels)) return Result.fail(Statuses.badRequest(labels.failure))
  const fields = Selectors.field(type, query.get("fieldSelector") ?? "")
  if (Result.isFailure(fields)) return Result.fail(Statuses.badRequest(fields.failure))
  return Result.succeed(
    (object) =>
      (namespace === undefined || object.metadata.namespace === namespace) &&
      labels.success(object) &&
      fields.success(object)
  )
}

const keyText = ({ metadata }: KubernetesObject): string => `${metadata.namespace ?? ""}/${metadata.name}`

interface Position {
  readonly version: number
  readonly after: string
}

const readToken = (token: string): Position | undefined => {
  const [version, ...after] = Buffer.from(token, "base64url").toString("utf8").split(" ")
  return version !== undefined && /^\d+$/.test(version) && after.length > 0
    ? { version: Number(version), after: after.join(" ") }
    : undefined
}

const writeToken = ({ version, after }: Position): string =>
  Buffer.from(`${version} ${after}`, "utf8").toString("base64url")

/** Lists are of now: an exact past is gone, the future is still to come. */
const refusedVersion = (wanted: string, isExact: boolean, current: number): ApiStatus | undefined => {
  if (wanted === "" || wanted === "0") return undefined
  if (!/^\d+$/.test(wanted)) {
    return Statuses.badRequest(`resourceVersion: Invalid value: ${JSON.stringify(wanted)}: must be a number`)
  }
  if (Number(wanted) > current) return Statuses.versionTooLarge(wanted, current)
  return isExact && Number(wanted) !== current
    ? Statuses.expired("The resourceVersion for the provided list is too old.")
    : undefined
}

export const list = (
  store: ObjectStore["Service"],
  type: ResourceType,
  namespace: string | undefined,
  query: URLSearchParams,
  form: Form,
  nowMs: number
): Result.Result<unknown, ApiStatus> =>
  Result.flatMap(selection(type, namespace, query), (isSelected): Result.Result<unknown, ApiStatus> => {
    const { objects, version } = store.list(type.resource)
    const wanted = query.get("resourceVersion") ?? ""
    const refused = refusedVersion(wanted, query.get("resourceVersionMatch") === "Exact", version)
    if (refused !== undefined) return Result.fail(refused)
    const token = query.get("continue")
    const position = token === null || token === "" ? undefined : readToken(token)
    if (token !== null && token !== "" && position === undefined) {
      return Result.fail(
        Statuses.badRequest("invalid continue token: continue key is not valid: not made by this server")
      )
    }
    const sorted = objects.filter(isSelected).sort((a, b) => (keyText(a) < keyText(b) ? -1 : 1))
    const rest = position === undefined ? sorted : sorted.filter((object) => keyText(object) > position.after)
    const limit = Number(query.get("limit") ?? 0)
    const page = limit > 0 ? rest.slice(0, limit) : rest
    const last = page.at(-1)
    const remaining = rest.length - page.length
    const resourceVersion = String(position?.version ?? version)
    const metadata = {
      resourceVersion,
      ...(remaining > 0 && last !== undefined
        ? {
            continue: writeToken({ version: Number(resourceVersion), after: keyText(last) }),
            remainingItemCount: remaining
          }
        : {})
    }
    if (form === "table") {
      return Result.succeed(table(type, page, { metadata, nowMs, withColumns: true }))
    }
    if (form === "metadata") {
      return Result.succeed({
        kind: "PartialObjectMetadataList",
        apiVersion: "meta.k8s.io/v1",
        metadata,
        items: page.map(partial)
      })
    }
    return Result.succeed({
      kind: `${type.kind}List`,
      apiVersion: apiVersionOf(type),
      metadata,
      items: type.isBuiltIn ? page.map((object) => without(object, "kind", "apiVersion")) : page
    })
  })
