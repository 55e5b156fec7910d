/** What commands print: lines for people, or JSON for programs. */
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** Flag of every command that reads. */
export const jsonFlag = {
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print JSON for programs instead of text for people"),
    Flag.withDefault(false)
  )
}

export const lines = (text: ReadonlyArray<string>): Effect.Effect<void> =>
  text.length === 0 ? Effect.void : Console.log(text.join("\n"))

const indented = (value: unknown): string => JSON.stringify(value, null, 2)
const compact = (value: unknown): string => JSON.stringify(value)

const printed = (format: (value: unknown) => string) => {
  return <A>(schema: Schema.Codec<A, unknown>, value: A): Effect.Effect<void> =>
    Schema.encodeEffect(Schema.toCodecJson(schema))(value).pipe(
      Effect.orDie,
      Effect.flatMap((encoded) => Console.log(format(encoded)))
    )
}

/** One document. */
export const json = printed(indented)

/** One line of a stream of documents. */
export const jsonLine = printed(compact)
