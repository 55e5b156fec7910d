/** What the `starform` command reads when it runs in this checkout: where the API is, and a token of the local workspace. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

const CommandAccess = Schema.fromJsonString(Schema.Struct({ url: Schema.String, token: Schema.String }))

const encode = Schema.encodeSync(CommandAccess)

/** Written anew at every start; mode 0600. */
export const write = Effect.fnUntraced(function* (
  file: string,
  url: string,
  token: Redacted.Redacted<string>
) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.writeFileString(file, `${encode({ url, token: Redacted.value(token) })}\n`, { mode: 0o600 })
  yield* fs.chmod(file, 0o600)
})
