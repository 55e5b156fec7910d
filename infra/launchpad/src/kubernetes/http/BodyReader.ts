/** Request bodies: read within the limit, and decoded as what their media type says. */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Schema from "effect/Schema"
import * as Yaml from "yaml"
import type { ApiStatus } from "../ApiStatus.ts"
import { isObject, type JsonObject } from "../JsonValue.ts"
import { bodyBytesMax } from "../KubernetesSettings.ts"
import * as Statuses from "../Statuses.ts"

export const mediaType = (request: HttpServerRequest.HttpServerRequest): string =>
  (request.headers["content-type"] ?? "").split(";")[0]?.trim() ?? ""

export const read = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<string, ApiStatus> =>
  request.text.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(bodyBytesMax)),
    Effect.mapError(() => Statuses.tooLarge(bodyBytesMax))
  )

/** An object of a kind, or Kubernetes' complaint about it. */
export const decodeObject = (text: string, kind: string): Effect.Effect<JsonObject, ApiStatus> =>
  decodeYaml(text).pipe(
    Effect.mapError((problem) =>
      Statuses.badRequest(
        `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; ` +
          `json parse error: ${problem}`
      )
    ),
    Effect.filterOrFail(isObject, () =>
      Statuses.badRequest(`the object provided is unrecognized (must be of type ${kind})`)
    )
  )

const decodeJson = Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Unknown))

/** Any JSON; fails with what is wrong with it. */
export const decode = (text: string): Effect.Effect<unknown, string> =>
  Effect.mapError(decodeJson(text), (error) => error.message)

/** YAML, of which JSON is a part; the quick road first. Fails with what is wrong with it. */
export const decodeYaml = (text: string): Effect.Effect<unknown, string> =>
  text.trimStart().startsWith("{") ? Effect.catch(decode(text), () => parseYaml(text)) : parseYaml(text)

const parseYaml = (text: string): Effect.Effect<unknown, string> =>
  Effect.try({
    try: () => Yaml.parse(text) as unknown,
    catch: (error) => (error instanceof Error ? error.message : "not YAML")
  })
