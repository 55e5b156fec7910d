/** The body of a request at the agents' door. */
import { InvalidInput } from "@starform/domain/errors/RequestErrors"
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Schema from "effect/Schema"

/** Largest part of what is wrong with a body that an answer quotes. */
const problemMax = 1000

/**
 * Reads a body by its schema.
 *
 * @param bytesMax a longer body is not read to its end
 */
export const bodyOf = <A, I>(schema: Schema.Codec<A, I>, bytesMax: number) => {
  const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(schema))
  return (request: HttpServerRequest.HttpServerRequest): Effect.Effect<A, InvalidInput> =>
    request.text.pipe(
      Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.fromInputUnsafe(bytesMax)),
      Effect.mapError(
        () => new InvalidInput({ field: "body", problem: `could not be read within ${bytesMax} bytes` })
      ),
      Effect.flatMap((text) =>
        Effect.mapError(
          decode(text),
          (error) => new InvalidInput({ field: "body", problem: error.message.slice(0, problemMax) })
        )
      )
    )
}
