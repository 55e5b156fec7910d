import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import {
  KubernetesAnswerMalformed,
  KubernetesRefused,
  KubernetesUnreachable,
  VersionExpired
} from "../KubernetesErrors.ts"
import { fromWire, type ObservedObject, WireObject } from "../ObservedObject.ts"
import type { ResourceKind } from "../ResourceKind.ts"

/** One line of a watch. A bookmark says only up to which version nothing was missed. */
export type WatchEvent =
  | { readonly _tag: "Changed"; readonly object: ObservedObject }
  | { readonly _tag: "Deleted"; readonly object: ObservedObject }
  | { readonly _tag: "Bookmark"; readonly resourceVersion: string }

const Line = Schema.fromJsonString(
  Schema.Union([
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
)

const decode = Schema.decodeUnknownEffect(Line)

type LineError = KubernetesAnswerMalformed | KubernetesRefused | KubernetesUnreachable | VersionExpired

export const readLine = (
  kind: ResourceKind,
  operation: string,
  line: string
): Effect.Effect<WatchEvent, LineError> =>
  decode(line).pipe(
    Effect.mapError((cause) => new KubernetesAnswerMalformed({ operation, cause })),
    Effect.flatMap((event): Effect.Effect<WatchEvent, LineError> => {
      switch (event.type) {
        case "BOOKMARK":
          return Effect.succeed({
            _tag: "Bookmark",
            resourceVersion: event.object.metadata.resourceVersion
          })
        case "ERROR": {
          const { code = 500, message = "", reason = "Unknown" } = event.object
          if (code === 410) return Effect.fail(new VersionExpired({ operation }))
          return code === 429 || code >= 500
            ? Effect.fail(new KubernetesUnreachable({ operation, status: code, retryAfterSeconds: null }))
            : Effect.fail(new KubernetesRefused({ operation, status: code, reason, detail: message }))
        }
        default:
          return Effect.succeed({
            _tag: event.type === "DELETED" ? "Deleted" : "Changed",
            object: fromWire(kind, event.object)
          })
      }
    })
  )
