/** The bundled sample, pushed like anybody's app: a repository of its own, one commit, one `git push`. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/** The sample did not become live. The platform is up nevertheless. */
export class SampleFailed extends Schema.TaggedError<SampleFailed>()("SampleFailed", {
  step: Schema.String,
  output: Schema.String
}) {
  override get message() {
    return `${this.step} failed:\n${this.output}`
  }
}

/**
 * Nothing of the person's git configuration, and none of the platform's environment. The token is here because git
 * would hand an address that holds it to its helpers as an argument, which every user of the machine can see.
 */
const environment = ({ directory, searchPath, token }: SampleSpec) => ({
  PATH: searchPath,
  HOME: directory,
  LANG: "C.UTF-8",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_COUNT: "1",
  GIT_CONFIG_KEY_0: "http.extraHeader",
  GIT_CONFIG_VALUE_0: `Authorization: Basic ${Buffer.from(`starform:${Redacted.value(token)}`).toString("base64")}`,
  GIT_TERMINAL_PROMPT: "0",
  GIT_AUTHOR_NAME: "Starform",
  GIT_AUTHOR_EMAIL: "sample@starform.invalid",
  GIT_COMMITTER_NAME: "Starform",
  GIT_COMMITTER_EMAIL: "sample@starform.invalid"
})

export interface SampleSpec {
  /** The sample's files. */
  readonly source: string
  /** Made anew; holds the repository. */
  readonly directory: string
  /** `PATH` that git is found in. */
  readonly searchPath: string
  readonly remote: string
  readonly token: Redacted.Redacted<string>
}

/** @param onLine told each line that git prints, as it comes */
export const push = Effect.fnUntraced(function* (
  spec: SampleSpec,
  onLine: (line: string) => Effect.Effect<void>
) {
  const fs = yield* FileSystem.FileSystem
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const env = environment(spec)

  const git = (step: string, args: ReadonlyArray<string>, tell: typeof onLine) =>
    Effect.gen(function* () {
      const handle = yield* spawner.spawn(
        ChildProcess.make("git", [...args], { cwd: spec.directory, env, extendEnv: false })
      )
      const lines: Array<string> = []
      yield* handle.all.pipe(
        Stream.decodeText(),
        Stream.splitLines,
        Stream.runForEach((line) => {
          lines.push(line)
          return tell(line)
        })
      )
      const exitCode = yield* handle.exitCode
      if (exitCode !== 0) return yield* new SampleFailed({ step, output: lines.join("\n") })
    }).pipe(
      Effect.scoped,
      Effect.catchTag("PlatformError", (error) =>
        Effect.fail(new SampleFailed({ step, output: error.message }))
      )
    )

  const failed = (error: { readonly message: string }) =>
    Effect.fail(new SampleFailed({ step: "copying the sample", output: error.message }))
  const quietly = () => Effect.void
  yield* fs.remove(spec.directory, { recursive: true, force: true }).pipe(Effect.catch(failed))
  yield* fs.copy(spec.source, spec.directory).pipe(Effect.catch(failed))
  yield* git("git init", ["init", "--quiet", "--initial-branch=main"], quietly)
  yield* git("git add", ["add", "--all"], quietly)
  yield* git("git commit", ["commit", "--quiet", "--message=Hello from Starform"], quietly)
  yield* git("git push", ["push", spec.remote, "main"], onLine)
})
