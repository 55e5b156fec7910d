import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import {
  KubernetesAnswerMalformed,
  KubernetesRefused,
  KubernetesUnreachable,
  VersionExpired
} from "../KubernetesErrors.ts"
import { fromWire, type ObservedObject, WireObject } from "../ObservedObject.ts"
import type { ObjectReference, ResourceKind } from "../ResourceKind.ts"

/** An object at one of its versions. */
export interface VersionedReference extends ObjectReference {
  readonly uid: string
  readonly resourceVersion: string
}

/**
 * One line of a watch. A bookmark says only up to which version nothing was missed; so does a change that is known already,
 * as those of our own writes are from the answers to them.
 */
export type WatchEvent =
  | { readonly _tag: "Changed"; readonly object: ObservedObject }
  | { readonly _tag: "Deleted"; readonly object: ObservedObject }
  | { readonly _tag: "Bookmark"; readonly resourceVersion: string }
  /** Before the first line: the server took the watch. */
  | { readonly _tag: "Opened" }

const Line = Schema.Union([
  Schema.Struct({ type: Schema.Literals(["ADDED", "MODIFIED", "DELETED"]), object: WireObject }),
  Schema.Struct({
    type: Schema.Literal("BOOKMARK"),
    object: Schema.Struct({ metadata: Schema.Struct({ resourceVersion: Schema.String }) })
  }),
  Schema.Struct({
    type: Schema.Literal("ERROR"),
    object: Schema.Struct({
      code: Schema.optionalKey(Schema.Int),
      reason: Schema.optionalKey(Schema.String),
      message: Schema.optionalKey(Schema.String)
    })
  })
])

const parse = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Unknown))
const decode = Schema.decodeUnknownResult(Line)

/** As much of a change as tells whether it is known. Whatever is not of this form is left to `decode`. */
const isChange = Schema.is(
  Schema.Struct({
    type: Schema.Literals(["ADDED", "MODIFIED"]),
    object: Schema.Struct({
      metadata: Schema.Struct({
        namespace: Schema.optionalKey(Schema.String),
        name: Schema.String,
        uid: Schema.String,
        resourceVersion: Schema.String
      })
    })
  })
)

type LineError = KubernetesAnswerMalformed | KubernetesRefused | KubernetesUnreachable | VersionExpired

const errorOf = (
  operation: string,
  { code = 500, message = "", reason = "Unknown" }: { code?: number; message?: string; reason?: string }
): LineError => {
  if (code === 410) return new VersionExpired({ operation })
  return code === 429 || code >= 500
    ? new KubernetesUnreachable({ operation, status: code, retryAfterSeconds: null })
    : new KubernetesRefused({ operation, status: code, reason, detail: message })
}

const eventOf = (
  kind: ResourceKind,
  operation: string,
  event: typeof Line.Type
): Result.Result<WatchEvent, LineError> => {
  switch (event.type) {
    case "BOOKMARK":
      return Result.succeed({ _tag: "Bookmark", resourceVersion: event.object.metadata.resourceVersion })
    case "ERROR":
      return Result.fail(errorOf(operation, event.object))
    default:
      return Result.succeed({
        _tag: event.type === "DELETED" ? "Deleted" : "Changed",
        object: fromWire(kind, event.object)
      })
  }
}

/** @param isKnown that nothing new is said of an object at this version */
export const readLine = (
  kind: ResourceKind,
  operation: string,
  line: string,
  isKnown: (object: VersionedReference) => boolean
): Result.Result<WatchEvent, LineError> => {
  const malformed = (cause: unknown) => new KubernetesAnswerMalformed({ operation, cause })
  return parse(line).pipe(
    Result.mapError(malformed),
    Result.flatMap((value): Result.Result<WatchEvent, LineError> => {
      if (isChange(value)) {
        const { name, namespace = null, resourceVersion, uid } = value.object.metadata
        if (isKnown({ kind, namespace, name, uid, resourceVersion })) {
          return Result.succeed({ _tag: "Bookmark", resourceVersion })
        }
      }
      return decode(value).pipe(
        Result.mapError(malformed),
        Result.flatMap((event) => eventOf(kind, operation, event))
      )
    })
  )
}
