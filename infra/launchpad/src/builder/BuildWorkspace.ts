/** The private folder of one running build, and how its steps are run in it. */
import { randomUUID } from "node:crypto"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BuildId } from "@starform/domain/ids/Ids"
import { BuilderUnavailable } from "@starform/starbase/builds/BuildErrors"
import type { BuildLogWriter } from "@starform/starbase/builds/BuildLog"
import { plainText } from "@starform/starbase/builds/LogText"
import type { DiskFull } from "@starform/starbase/storage/BlobStore"
import { attempt } from "../images/TreeErrors.ts"
import type { BuildSeat } from "./BuildUsers.ts"
import { foldersOf, HostBuilderConfig, type HostBuilderSettings } from "./HostBuilderConfig.ts"
import { sweepProcesses } from "./internal/processSweep.ts"
import { removeTree } from "./internal/removeTree.ts"
import { usageFilter } from "./NpmUsage.ts"
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
  /** The newest lines of the last step, without colours. */
  readonly tail: () => ReadonlyArray<string>
}

/** The build's own user may enter, and nobody else. */
const give = (path: string, { user }: BuildSeat) =>
  attempt("make the build's folder", async () => {
    await Fs.mkdir(path, { recursive: true })
    await Fs.chmod(path, 0o700)
    if (user !== null) await Fs.chown(path, user.uid, user.gid)
  })

/** Remains the platform's, so that no step can put something else in the place of what is below it. */
const makeRoot = (root: string) =>
  attempt("make the build's folder", async () => {
    await Fs.mkdir(root)
    await Fs.chmod(root, 0o711)
  })

/** All its files are gone when the scope closes; processes are when `run` ends, however it ends. */
export const makeBuildWorkspace: (
  buildId: BuildId,
  seat: BuildSeat,
  log: BuildLogWriter
) => Effect.Effect<BuildWorkspace, BuilderUnavailable | DiskFull, HostBuilderConfig | Scope.Scope> =
  Effect.fnUntraced(
    function* (buildId, seat, log) {
      const config = yield* HostBuilderConfig
      const root = join(foldersOf(config).work, `${buildId}.${randomUUID().slice(0, 8)}`)
      const mark = `${config.directory}/${buildId}`
      const endStragglers = sweepProcesses(
        { uids: new Set(seat.user === null ? [] : [seat.user.uid]), mark: `${markKey}=${mark}` },
        config.sweepTimeout
      )
      yield* Effect.acquireRelease(makeRoot(root), () => Effect.promise(() => removeTree(root)))
      const folders = { app: join(root, "app"), home: join(root, "home"), temporary: join(root, "tmp") }
      const npmCache = join(foldersOf(config).npm, seat.name)
      yield* Effect.forEach([...Object.values(folders), npmCache], (path) => give(path, seat), {
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
        [markKey]: mark
      }
      let tail: Array<string> = []
      let isWorthReading: ReturnType<typeof usageFilter> = () => true
      const onLine = (line: string) => {
        const plain = plainText(line)
        if (!isWorthReading(plain)) return Effect.void
        tail.push(plain)
        if (tail.length > tailLines) tail.shift()
        return log.write("output", line)
      }
      const run: BuildWorkspace["run"] = (argv, environment = {}) =>
        Effect.suspend(() => {
          tail = []
          isWorthReading = usageFilter(argv)
          return runStep({
            argv,
            directory: folders.app,
            environment: { ...shared, ...environment },
            user: seat.user,
            endStragglers,
            onLine
          })
        }).pipe(Effect.provideService(HostBuilderConfig, config))
      return { root, app: folders.app, seat, run, tail: () => tail }
    },
    Effect.catchTag("TreeUnavailable", (cause) =>
      Effect.fail(new BuilderUnavailable({ operation: "make the build's folder", cause }))
    )
  )

/** Users of the builds whose folders were left; none where builds had no user of their own. */
const usersOf = async (
  folders: ReadonlyArray<string>,
  { userIdFirst, userIdCount }: HostBuilderSettings
): Promise<ReadonlySet<number>> => {
  const owners = await Promise.all(
    folders.map(async (folder) => {
      const info = await Fs.stat(join(folder, "app")).catch(() => undefined)
      const isOurs = info !== undefined && info.uid >= userIdFirst && info.uid < userIdFirst + userIdCount
      return isOurs ? [info.uid] : []
    })
  )
  return new Set(owners.flat())
}

/** Ends what builds of an earlier process of this builder left running, and removes their folders. */
export const removeLeftBehind: Effect.Effect<void, BuilderUnavailable, HostBuilderConfig> = Effect.gen(
  function* () {
    const config = yield* HostBuilderConfig
    const { work } = foldersOf(config)
    const trying = <A>(run: () => Promise<A>) =>
      Effect.tryPromise({
        try: run,
        catch: (cause) => new BuilderUnavailable({ operation: "remove what an earlier builder left", cause })
      })
    const left = yield* trying(async () => (await Fs.readdir(work)).map((name) => join(work, name)))
    if (left.length === 0) return
    const uids = yield* trying(() => usersOf(left, config))
    yield* sweepProcesses({ uids, mark: `${markKey}=${config.directory}/` }, config.sweepTimeout)
    yield* trying(() => Promise.all(left.map(removeTree)))
  }
)
