/** Running git: a clean environment, output as text, failures as values (INV-GIT-5). */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as ChildProcess from "effect/process/ChildProcess"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Stream from "effect/Stream"

/** git ended with a status other than 0, or could not be run. */
export class GitFailed extends Schema.TaggedError<GitFailed>()("GitFailed", {
  command: Schema.String,
  output: Schema.String
}) {
  override get message() {
    return `git ${this.command}: ${this.output}`
  }
}

/** What git is given of the world. */
export const environment = (searchPath: string, home: string): Record<string, string> => ({
  PATH: searchPath,
  HOME: home,
  LANG: "C.UTF-8",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_TERMINAL_PROMPT: "0",
  GIT_CONFIG_COUNT: "1",
  GIT_CONFIG_KEY_0: "safe.directory",
  GIT_CONFIG_VALUE_0: "*"
})

/** Runs git in a repository and answers its standard output, without the last line end. */
export const run = Effect.fnUntraced(
  function* (repository: string, env: Record<string, string>, args: ReadonlyArray<string>) {
    const spawner = yield* ChildProcessSpawner
    const command = args.join(" ")
    const child = yield* spawner.spawn(
      ChildProcess.make("git", ["-C", repository, ...args], { env, extendEnv: false })
    )
    const [output, problem] = yield* Effect.all(
      [Stream.mkString(Stream.decodeText(child.stdout)), Stream.mkString(Stream.decodeText(child.stderr))],
      { concurrency: 2 }
    )
    const exitCode = yield* child.exitCode
    if (exitCode !== 0)
      return yield* new GitFailed({ command, output: problem.trim() || `status ${exitCode}` })
    return output.replace(/\n$/, "")
  },
  Effect.scoped,
  (effect, _, __, args) =>
    Effect.catchTag(effect, "PlatformError", (error) =>
      Effect.fail(new GitFailed({ command: args.join(" "), output: error.message }))
    )
)

/** git's standard output as it comes; fails after it when git failed. */
export const stream = (
  repository: string,
  env: Record<string, string>,
  args: ReadonlyArray<string>
): Stream.Stream<Uint8Array, GitFailed, ChildProcessSpawner> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const spawner = yield* ChildProcessSpawner
      const child = yield* spawner.spawn(
        ChildProcess.make("git", ["-C", repository, ...args], { env, extendEnv: false, stderr: "ignore" })
      )
      const ended = Effect.flatMap(child.exitCode, (exitCode) =>
        exitCode === 0
          ? Effect.void
          : Effect.fail(new GitFailed({ command: args.join(" "), output: `status ${exitCode}` }))
      )
      return Stream.concat(child.stdout, Stream.drain(Stream.fromEffect(ended)))
    })
  ).pipe(
    Stream.catchTag("PlatformError", (error) =>
      Stream.fail(new GitFailed({ command: args.join(" "), output: error.message }))
    )
  )
