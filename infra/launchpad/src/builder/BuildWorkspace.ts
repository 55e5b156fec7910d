/** The private folder of one running build, and how its steps are run in it. */
import { randomUUID } from "node:crypto"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BuildId } from "@starform/domain/ids/Ids"
import { BuilderUnavailable } from "@starform/starbase/builds/BuildErrors"
import type { BuildLogWriter } from "@starform/starbase/builds/BuildLog"
import type { DiskFull } from "@starform/starbase/storage/BlobStore"
import { attempt } from "../images/TreeErrors.ts"
import type { BuildSeat } from "./BuildUsers.ts"
import { foldersOf, HostBuilderConfig } from "./HostBuilderConfig.ts"
import { sweepProcesses } from "./internal/processSweep.ts"
import { runStep, type StepFailed } from "./StepProcess.ts"

/** Variable by which processes of builds are found; its value begins with the builder's folder. */
const markKey = "STARFORM_BUILD_MARK"

/** Lines of a failed step that are shown with the failure. */
const tailLines = 20

export interface BuildWorkspace {
  /** Holds `app` and whatever else the build needs to put somewhere. */
  readonly root: string
  /** The app's tree; the working directory of every step. */
  readonly app: string
  readonly seat: BuildSeat
  /** Runs a command with the log as its output; nothing of it runs afterwards. `environment` is added to what every step has. */
  readonly run: (
    argv: ReadonlyArray<string>,
    environment?: Readonly<Record<string, string>>
  ) => Effect.Effect<void, StepFailed>
  /** The newest lines of the last step. */
  readonly tail: () => ReadonlyArray<string>
}

const give = (path: string, { user }: BuildSeat, mode: number) =>
  attempt("make the build's folder", async () => {
    await Fs.mkdir(path, { recursive: true })
    await Fs.chmod(path, mode)
    if (user !== null) await Fs.chown(path, user.uid, user.gid)
  })

/** Everything of it is gone when the scope closes: processes first, then files. */
export const makeBuildWorkspace: (
  buildId: BuildId,
  seat: BuildSeat,
  log: BuildLogWriter
) => Effect.Effect<BuildWorkspace, BuilderUnavailable | DiskFull, HostBuilderConfig | Scope.Scope> =
  Effect.fnUntraced(
    function* (buildId, seat, log) {
      const config = yield* HostBuilderConfig
      const root = join(foldersOf(config).work, `${buildId}.${randomUUID().slice(0, 8)}`)
      const mark = `${markKey}=${config.directory}/${buildId}`
      const sweep = Effect.promise(() => sweepProcesses({ uid: seat.user?.uid ?? null, mark }))
      yield* Effect.acquireRelease(give(root, seat, 0o700), () =>
        Effect.andThen(
          sweep,
          Effect.promise(() => Fs.rm(root, { recursive: true, force: true }))
        )
      )
      const folders = { app: join(root, "app"), home: join(root, "home"), temporary: join(root, "tmp") }
      const npmCache = join(foldersOf(config).npm, seat.name)
      yield* Effect.forEach([...Object.values(folders), npmCache], (path) => give(path, seat, 0o700), {
        discard: true
      })
      const shared = {
        ...config.stepEnvironment,
        PATH: [join(folders.app, "node_modules", ".bin"), ...config.hostPath].join(":"),
        HOME: folders.home,
        TMPDIR: folders.temporary,
        LANG: "C.UTF-8",
        CI: "1",
        FORCE_COLOR: "1",
        NODE_ENV: "production",
        npm_config_cache: npmCache,
        npm_config_fund: "false",
        npm_config_audit: "false",
        npm_config_update_notifier: "false",
        npm_config_progress: "false",
        [markKey]: `${config.directory}/${buildId}`
      }
      let tail: Array<string> = []
      const onLine = (line: string) => {
        tail.push(line)
        if (tail.length > tailLines) tail.shift()
        return log.write("output", line)
      }
      const run: BuildWorkspace["run"] = (argv, environment = {}) =>
        Effect.suspend(() => {
          tail = []
          return runStep({
            argv,
            directory: folders.app,
            environment: { ...shared, ...environment },
            user: seat.user,
            endStragglers: sweep,
            onLine
          })
        }).pipe(Effect.provideService(HostBuilderConfig, config))
      return { root, app: folders.app, seat, run, tail: () => tail }
    },
    Effect.catchTag("TreeUnavailable", (cause) =>
      Effect.fail(new BuilderUnavailable({ operation: "make the build's folder", cause }))
    )
  )

/** Ends what builds of an earlier process of this builder left running, and removes their folders. */
export const removeLeftBehind: Effect.Effect<void, BuilderUnavailable, HostBuilderConfig> = Effect.gen(
  function* () {
    const config = yield* HostBuilderConfig
    const { work } = foldersOf(config)
    yield* Effect.tryPromise({
      try: async () => {
        const left = await Fs.readdir(work)
        if (left.length === 0) return
        await sweepProcesses({ uid: null, mark: `${markKey}=${config.directory}/` })
        await Promise.all(left.map((name) => Fs.rm(join(work, name), { recursive: true, force: true })))
      },
      catch: (cause) => new BuilderUnavailable({ operation: "remove what an earlier builder left", cause })
    })
  }
)
