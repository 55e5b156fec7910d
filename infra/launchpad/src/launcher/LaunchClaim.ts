/** Who uses a state folder: nobody, a living launcher, or one that was killed and whose parts may still be ending. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import * as PostgresHome from "../postgres/PostgresHome.ts"

/** Another launcher runs the platform of this folder. */
export class AlreadyRunning extends Schema.TaggedError<AlreadyRunning>()("AlreadyRunning", {
  directory: Schema.String,
  pid: Schema.Int
}) {
  override get message() {
    return (
      `Starform is running here already (process ${this.pid}, state in ${this.directory}).\n` +
      "Stop it with Ctrl-C where it runs, or start a second one: npm start -- --ephemeral --port-base 5000"
    )
  }
}

/**
 * Answers whether a killed launcher left its claim behind. The claim itself is the database's (INV-PG-1).
 *
 * @param state the state folder, which may not exist yet
 */
export const isLeftBehind = Effect.fnUntraced(function* (state: string) {
  const directory = join(state, "postgres")
  const pid = yield* PostgresHome.ownerOf(directory)
  if (pid !== undefined) return yield* new AlreadyRunning({ directory: state, pid })
  return yield* PostgresHome.hasClaim(directory)
})

/**
 * Stops the database of a launcher that was killed before it had set the guard: nothing else would end that server.
 *
 * @param state the state folder
 */
export const endDatabase = Effect.fnUntraced(function* (state: string) {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.realPath(join(state, "postgres"))
  const home = yield* fs.readFileString(join(directory, "home")).pipe(Effect.orElseSucceed(() => directory))
  yield* PostgresHome.stopOrphan(join(home, "data"), "10 seconds")
})
