/** The answers of `ApiStatus` in Kubernetes' own words. */
import { ApiStatus, type StatusCause } from "./ApiStatus.ts"
import type { ResourceType } from "./kinds/ResourceType.ts"

const qualified = (type: ResourceType): string =>
  type.group === "" ? type.plural : `${type.plural}.${type.group}`

const qualifiedKind = (type: Pick<ResourceType, "kind" | "group">): string =>
  type.group === "" ? type.kind : `${type.kind}.${type.group}`

const details = (type: ResourceType, name: string) => ({
  name,
  ...(type.group === "" ? {} : { group: type.group }),
  kind: type.plural
})

export const notFound = (type: ResourceType, name: string) =>
  new ApiStatus({
    code: 404,
    reason: "NotFound",
    text: `${qualified(type)} "${name}" not found`,
    details: details(type, name)
  })

export const unknownPath = () =>
  new ApiStatus({
    code: 404,
    reason: "NotFound",
    text: "the server could not find the requested resource",
    details: {}
  })

export const alreadyExists = (type: ResourceType, name: string) =>
  new ApiStatus({
    code: 409,
    reason: "AlreadyExists",
    text: `${qualified(type)} "${name}" already exists`,
    details: details(type, name)
  })

export const modified = (type: ResourceType, name: string) =>
  new ApiStatus({
    code: 409,
    reason: "Conflict",
    text:
      `Operation cannot be fulfilled on ${qualified(type)} "${name}": the object has been modified; ` +
      "please apply your changes to the latest version and try again",
    details: details(type, name)
  })

export const uidMismatch = (type: ResourceType, name: string, wanted: string, present: string) =>
  new ApiStatus({
    code: 409,
    reason: "Conflict",
    text:
      `Operation cannot be fulfilled on ${type.kind} "${name}": the UID in the precondition (${wanted}) does not ` +
      `match the UID in record (${present}). The object might have been deleted and then recreated`,
    details: { name, kind: type.kind }
  })

export const badRequest = (text: string) => new ApiStatus({ code: 400, reason: "BadRequest", text })

export const unauthorized = () => new ApiStatus({ code: 401, reason: "Unauthorized", text: "Unauthorized" })

export const methodNotAllowed = () =>
  new ApiStatus({
    code: 405,
    reason: "MethodNotAllowed",
    text: "the server does not allow this method on the requested resource",
    details: {}
  })

export const unsupportedMediaType = (accepted: string) =>
  new ApiStatus({
    code: 415,
    reason: "UnsupportedMediaType",
    text: `the body of the request was in an unknown format - accepted media types include: ${accepted}`
  })

export const unsupportedPatchType = () =>
  new ApiStatus({
    code: 415,
    reason: "UnsupportedMediaType",
    text: "415: Unsupported Media Type",
    details: {}
  })

export const expired = (text: string) => new ApiStatus({ code: 410, reason: "Expired", text })

export const tooLarge = (limit: number) =>
  new ApiStatus({
    code: 413,
    reason: "RequestEntityTooLarge",
    text: `Request entity too large: limit is ${limit}`
  })

export const invalid = (
  type: Pick<ResourceType, "kind" | "group">,
  name: string,
  causes: ReadonlyArray<StatusCause>
) => {
  const lines = causes.map(({ field, message }) => `${field}: ${message}`)
  const all = lines.length === 1 ? lines[0] : `[${lines.join(", ")}]`
  return new ApiStatus({
    code: 422,
    reason: "Invalid",
    text: `${qualifiedKind(type)} "${name}" is invalid: ${all}`,
    details: { name, ...(type.group === "" ? {} : { group: type.group }), kind: type.kind, causes }
  })
}

export const fieldManagerRequired = () =>
  new ApiStatus({
    code: 422,
    reason: "Invalid",
    text: 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    details: {
      group: "meta.k8s.io",
      kind: "PatchOptions",
      causes: [
        {
          reason: "FieldValueRequired",
          message: "Required value: is required for apply patch",
          field: "fieldManager"
        }
      ]
    }
  })

export const namespaceTerminating = (type: ResourceType, name: string, namespace: string) =>
  new ApiStatus({
    code: 403,
    reason: "Forbidden",
    text:
      `${qualified(type)} "${name}" is forbidden: unable to create new content in namespace ${namespace} ` +
      "because it is being terminated",
    details: {
      ...details(type, name),
      causes: [
        {
          reason: "NamespaceTerminating",
          message: `namespace ${namespace} is being terminated`,
          field: "metadata.namespace"
        }
      ]
    }
  })

/** Something in the namespace says no. */
export const forbidden = (type: ResourceType, name: string, reason: string) =>
  new ApiStatus({
    code: 403,
    reason: "Forbidden",
    text: `${qualified(type)} "${name}" is forbidden: ${reason}`,
    details: details(type, name)
  })

/** An apply met fields of other managers. */
export const conflict = (text: string, causes: ReadonlyArray<StatusCause>) =>
  new ApiStatus({ code: 409, reason: "Conflict", text, details: { causes } })

/** A patch that can be read but not applied. */
export const unprocessable = () =>
  new ApiStatus({
    code: 422,
    reason: "Invalid",
    text: "the server rejected our request due to an error in our request",
    details: {}
  })

/** `sendInitialEvents` asks for a match rule. */
export const initialEventsNeedMatch = () =>
  new ApiStatus({
    code: 422,
    reason: "Invalid",
    text:
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: ' +
      "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
    details: {
      group: "meta.k8s.io",
      kind: "ListOptions",
      causes: [
        {
          reason: "FieldValueForbidden",
          message: "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
          field: "resourceVersionMatch"
        }
      ]
    }
  })

export interface AppliedTarget {
  readonly type: ResourceType
  readonly namespace: string | undefined
  readonly name: string
}

/** An apply with something in it that the kind does not have. */
export const notTyped = ({ type, namespace, name }: AppliedTarget, problem: string) => {
  const place = namespace === undefined ? `/${name}` : `${namespace}/${name}`
  return new ApiStatus({
    code: 500,
    reason: "",
    text: `failed to create typed patch object (${place}; ${type.group}/${type.version}, Kind=${type.kind}): ${problem}`
  })
}

/** A body that is of the kind but cannot be read as one. */
export const notHandled = (type: ResourceType, problem: string) =>
  badRequest(`${type.kind} in version "${type.version}" cannot be handled as a ${type.kind}: ${problem}`)

export const notAcceptable = (available: string) =>
  new ApiStatus({
    code: 406,
    reason: "NotAcceptable",
    text: `406: Not Acceptable\n\nAvailable representations: ${available}`,
    details: {}
  })

/** A list at a version that is still to come. */
export const versionTooLarge = (wanted: string, current: number) =>
  new ApiStatus({
    code: 504,
    reason: "Timeout",
    text: `Timeout: Too large resource version: ${wanted}, current: ${current}`,
    details: {
      causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
      retryAfterSeconds: 1
    }
  })
