/** Codecs made once for all entities of a type: an idle entity holds its state and little else. */
import * as Schema from "effect/Schema"
import type { EntityModel } from "../EntityModel.ts"

/** Of kept replies, one per schema: JSON has no `undefined`, which is what `Void` is. */
const replyCodecs = new WeakMap<object, Schema.Codec<unknown, unknown>>()

export const replyCodec = <Reply>(reply: Schema.Codec<Reply, unknown>): Schema.Codec<Reply, unknown> => {
  const known = replyCodecs.get(reply)
  if (known !== undefined) return known as Schema.Codec<Reply, unknown>
  const codec: Schema.Codec<Reply, unknown> = Schema.toCodecJson(reply)
  replyCodecs.set(reply, codec as Schema.Codec<unknown, unknown>)
  return codec
}

const makeCodecs = <State, Event, OutboxEffect>(model: EntityModel<State, Event, OutboxEffect>) => ({
  decodeEvents: Schema.decodeUnknownEffect(Schema.Array(model.event)),
  encodeEvents: Schema.encodeEffect(Schema.Array(model.event)),
  encodeEffects: Schema.encodeEffect(Schema.Array(model.effect)),
  decodeState: Schema.decodeUnknownOption(model.state),
  encodeState: Schema.encodeEffect(model.state)
})

export type Codecs<State, Event, OutboxEffect> = ReturnType<typeof makeCodecs<State, Event, OutboxEffect>>

const modelCodecs = new WeakMap<object, unknown>()

export const codecsOf = <State, Event, OutboxEffect>(
  model: EntityModel<State, Event, OutboxEffect>
): Codecs<State, Event, OutboxEffect> => {
  const known = modelCodecs.get(model)
  if (known !== undefined) return known as Codecs<State, Event, OutboxEffect>
  const codecs = makeCodecs(model)
  modelCodecs.set(model, codecs)
  return codecs
}
