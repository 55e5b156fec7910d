/** The agent's credential: a file that somebody else may replace at any time. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { ShuttleConfig } from "../ShuttleConfig.ts"

/** The file is missing, unreadable or empty. Needs a human, and is tried again. */
export class TokenUnreadable extends Schema.TaggedError<TokenUnreadable>()("TokenUnreadable", {
  file: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return `${this.file}: no token can be read`
  }
}

export class AgentToken extends Context.Service<
  AgentToken,
  {
    /** Read once, then remembered. */
    readonly current: Effect.Effect<Redacted.Redacted, TokenUnreadable>
    /** Reads the file again; true when it holds another token than the refused one. */
    readonly replace: (refused: Redacted.Redacted) => Effect.Effect<boolean, TokenUnreadable>
  }
>()("@starform/shuttle/starbase/AgentToken") {}

const make = Effect.gen(function* () {
  const { tokenFile } = yield* ShuttleConfig
  const fs = yield* FileSystem.FileSystem
  let known: Redacted.Redacted | undefined

  const read = fs.readFileString(tokenFile).pipe(
    Effect.mapError((cause) => new TokenUnreadable({ file: tokenFile, cause })),
    Effect.filterOrFail(
      (text) => text.trim() !== "",
      () => new TokenUnreadable({ file: tokenFile })
    ),
    Effect.map((text) => {
      known = Redacted.make(text.trim())
      return known
    })
  )
  return AgentToken.of({
    current: Effect.suspend(() => (known === undefined ? read : Effect.succeed(known))),
    replace: (refused) => Effect.map(read, (token) => Redacted.value(token) !== Redacted.value(refused))
  })
})

export const layer: Layer.Layer<AgentToken, never, ShuttleConfig | FileSystem.FileSystem> =
  Layer.effect(AgentToken)(make)
