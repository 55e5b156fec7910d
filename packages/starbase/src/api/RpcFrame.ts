/** The request frame of `/rpc`, checked before the RPC server sees it: what is wrong with it is the caller's to know. */
import { InvalidInput } from "@starform/domain/errors/RequestErrors"
import { PublicRpcs } from "@starform/domain/protocol/PublicRpcs"
import * as Effect from "effect/Effect"
import type { ResponseExitEncoded } from "effect/rpc/RpcMessage"
import * as Schema from "effect/Schema"
import { isStorableValue } from "./StorableText.ts"

/** Longest description of what is wrong with a frame, in characters. */
const problemMax = 500

const RequestFrame = Schema.TaggedStruct("Request", {
  id: Schema.Union([Schema.String.check(Schema.isBetweenLength(1, 100)), Schema.Int]),
  tag: Schema.Literals([...PublicRpcs.requests.keys()]),
  payload: Schema.Unknown,
  headers: Schema.Array(Schema.Tuple([Schema.String, Schema.String])),
  isNotification: Schema.optionalKey(Schema.Never),
  discard: Schema.optionalKey(Schema.Never)
})
export type RequestFrame = typeof RequestFrame.Type

const decodeFrame = Schema.decodeUnknownEffect(Schema.fromJsonString(RequestFrame))

const decodePayload = new Map(
  [...PublicRpcs.requests].map(([tag, rpc]) => [
    tag,
    Schema.decodeUnknownEffect(Schema.toCodecJson(rpc.payloadSchema))
  ])
)

const refused = (field: string) => (error: Schema.SchemaError) =>
  new InvalidInput({ field, problem: error.message.slice(0, problemMax) })

/**
 * @param text one JSON object and its newline
 * @errors InvalidInput when it is no request that this server knows, or more than one
 */
export const parse = Effect.fnUntraced(function* (text: string) {
  if (!text.endsWith("\n")) {
    return yield* new InvalidInput({
      field: "frame",
      problem: "must be one line of JSON and end with a newline"
    })
  }
  return yield* decodeFrame(text).pipe(Effect.mapError(refused("frame")))
})

const unstorable = new InvalidInput({
  field: "payload",
  problem: "text must not hold U+0000, nor half of a surrogate pair"
})

/**
 * @param text that the frame was parsed from: without an escape in it no text of the payload needs to be looked at
 * @errors InvalidInput when the payload is not what the RPC takes, or nothing that could be stored
 */
export const checkPayload = (frame: RequestFrame, text: string): Effect.Effect<void, InvalidInput> => {
  if (text.includes("\\u") && !isStorableValue(frame.payload)) return Effect.fail(unstorable)
  const decode = decodePayload.get(frame.tag)
  return decode === undefined
    ? Effect.void
    : decode(frame.payload).pipe(Effect.asVoid, Effect.mapError(refused("payload")))
}

/** The frame that ends a request with an error that every public RPC declares. */
export const failed = (requestId: string | number, error: unknown): ResponseExitEncoded => ({
  _tag: "Exit",
  requestId,
  exit: { _tag: "Failure", cause: [{ _tag: "Fail", error }] }
})
