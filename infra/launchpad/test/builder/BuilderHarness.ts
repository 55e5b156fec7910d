/** A host builder in a folder of its own, and sources for it. */
import { randomUUID } from "node:crypto"
import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import { Effect, Layer, Stream } from "effect"
import * as Tar from "effect/encoding/Tar"
import * as AppId from "@starform/domain/ids/AppId"
import { CommitSha } from "@starform/domain/ids/Digest"
import { BuildId, ProjectId, ServiceId, WorkspaceId } from "@starform/domain/ids/Ids"
import { EnvironmentName } from "@starform/domain/ids/Slug"
import * as BuildLog from "@starform/starbase/builds/BuildLog"
import * as BuildLogIndexMemory from "@starform/starbase/builds/BuildLogIndexMemory"
import * as BuildQueue from "@starform/starbase/builds/BuildQueue"
import { BuildService } from "@starform/starbase/builds/BuildService"
import type { BuildHandle, BuildSpec } from "@starform/starbase/builds/BuildSpec"
import { BlobStore } from "@starform/starbase/storage/BlobStore"
import * as BlobStoreFolder from "@starform/starbase/storage/BlobStoreFolder"
import * as BuildOutcomes from "@starform/launchpad/builder/BuildOutcomes"
import * as BuildUsers from "@starform/launchpad/builder/BuildUsers"
import * as DependencyLayers from "@starform/launchpad/builder/DependencyLayers"
import * as HostBuilder from "@starform/launchpad/builder/HostBuilder"
import * as HostBuilderConfig from "@starform/launchpad/builder/HostBuilderConfig"
import * as Toolchain from "@starform/launchpad/builder/Toolchain"
import * as ImageStoreFromBlobs from "@starform/launchpad/images/ImageStoreFromBlobs"
import { temporaryFolder } from "../images/TemporaryFolder.ts"

/** What reaches the registry through this machine's network, and nothing else of the environment. */
const network = Object.fromEntries(
  ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy", "npm_config_registry"].flatMap(
    (key) => {
      const value = process.env[key]
      return value === undefined ? [] : [[key, value]]
    }
  )
)

export type Settings = Partial<HostBuilderConfig.HostBuilderSettings>

/** Everything that a builder needs, below one folder; a second layer of the same folder is the next process. */
export const builderIn = (folder: string, settings: Settings = {}) => {
  const config = HostBuilderConfig.layer({
    directory: join(folder, "builder"),
    stepEnvironment: network,
    freeBytesMin: 0,
    ...settings
  })
  const blobs = Layer.orDie(BlobStoreFolder.layer({ directory: join(folder, "blobs") }))
  return HostBuilder.layerNoDeps.pipe(
    Layer.provide([BuildUsers.layer, BuildOutcomes.layer, DependencyLayers.layer, Toolchain.layer]),
    Layer.provide(config),
    Layer.provide(BuildQueue.layer()),
    Layer.provide(BuildLog.layer({ flushInterval: "5 millis" })),
    Layer.provideMerge(ImageStoreFromBlobs.layer({ directory: join(folder, "images") })),
    Layer.provideMerge(BuildLogIndexMemory.layer),
    Layer.provideMerge(blobs)
  )
}

/** Runs with a builder of its own. */
export const withBuilder = <A, E, R>(run: Effect.Effect<A, E, R>, settings: Settings = {}) =>
  Effect.flatMap(temporaryFolder, (folder) =>
    Effect.provide(run, builderIn(folder, settings), { local: true })
  )

/** Texts by path; a text that begins with `#!` makes an executable, a number that many bytes, `null` an empty folder. */
export type SourceFiles = Readonly<Record<string, string | number | null>>

const sourceEntry = ([path, content]: readonly [string, string | number | null]) => {
  if (content === null) return Tar.directory(path)
  if (typeof content === "number") return Tar.file(path, new Uint8Array(content))
  return Tar.file(path, content, { mode: content.startsWith("#!") ? 0o755 : 0o644 })
}

export const putSource = (files: SourceFiles, links: Readonly<Record<string, string>> = {}) =>
  Effect.flatMap(BlobStore, (blobs) =>
    Stream.fromIterable([
      ...Object.entries(files).map(sourceEntry),
      ...Object.entries(links).map(([path, target]) => Tar.symlink(path, target))
    ]).pipe(
      Stream.pipeThroughChannelOrFail(Tar.encode()),
      blobs.put,
      Effect.orDie,
      Effect.map(({ digest }) => digest)
    )
  )

export const readFixture = (name: string) =>
  Effect.promise(async (): Promise<Record<string, string>> => {
    const folder = join(dirname(new URL(import.meta.url).pathname), "fixtures", name)
    const names = (await Fs.readdir(folder)).filter((file) => file !== "node_modules")
    return Object.fromEntries(
      await Promise.all(names.map(async (file) => [file, await Fs.readFile(join(folder, file), "utf8")]))
    )
  })

export const newWorkspace = () => WorkspaceId.make(randomUUID())

/** A spec with fresh ids. */
export const specOf = (source: BuildSpec["source"], fields: Partial<BuildSpec> = {}): BuildSpec => ({
  buildId: BuildId.make(randomUUID()),
  workspaceId: newWorkspace(),
  appId: AppId.format({
    projectId: ProjectId.make(randomUUID()),
    environment: EnvironmentName.make("production"),
    serviceId: ServiceId.make(randomUUID())
  }),
  source,
  gitSha: CommitSha.make("0".repeat(40)),
  gitRef: "refs/heads/main",
  gitRepo: "git.example/acme/shop/api",
  ...fields
})

export const submitted = Effect.fnUntraced(function* (files: SourceFiles, fields: Partial<BuildSpec> = {}) {
  const builds = yield* BuildService
  return yield* builds.submit(specOf(yield* putSource(files), fields))
})

/** Builds and gives the result. */
export const built = Effect.fnUntraced(function* (files: SourceFiles, fields: Partial<BuildSpec> = {}) {
  const builds = yield* BuildService
  return yield* builds.await(yield* submitted(files, fields))
})

/** The failure of a build that must not succeed. */
export const failureOf = Effect.fnUntraced(function* (handle: BuildHandle) {
  const error = yield* Effect.flip(Effect.flatMap(BuildService, (builds) => builds.await(handle)))
  return error._tag === "BuildFailed" ? error : yield* Effect.die(error)
})

export const logTexts = (handle: BuildHandle) =>
  Effect.flatMap(BuildService, (builds) =>
    Effect.map(Stream.runCollect(builds.logs(handle, 1)), (lines) => lines.map(({ text }) => text))
  )

/** Asks again until it holds; fails with what `shown` says at the deadline. */
export const eventually = <E, R>(
  holds: Effect.Effect<boolean, E, R>,
  shown: () => string,
  deadlineMs = 5_000
): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    const startedAt = performance.now()
    while (!(yield* holds)) {
      if (performance.now() - startedAt > deadlineMs)
        return yield* Effect.die(new Error(`not in time: ${shown()}`))
      yield* Effect.sleep("10 millis")
    }
  })

/** Runs with the builder of a folder; what is run later with the same folder has the next process's builder. */
export const withBuilderIn = <A, E, R>(
  folder: string,
  run: Effect.Effect<A, E, R>,
  settings: Settings = {}
) => Effect.provide(run, builderIn(folder, settings), { local: true })

/** A source whose build is this shell text. */
export const scripted = (build: string): SourceFiles => ({
  "starform.json": JSON.stringify({ build, processes: { web: "node x" } })
})

/** Completes when the build has printed this line. */
export const printed = (handle: BuildHandle, line: string) =>
  Effect.flatMap(BuildService, (builds) =>
    Stream.runDrain(builds.logs(handle, 1).pipe(Stream.takeUntil(({ text }) => text === line)))
  )

/** Processes in whose environment a build's mark is, zombies aside. */
export const markedProcesses = (mark: string) =>
  Effect.promise(async (): Promise<ReadonlyArray<string>> => {
    const pids = (await Fs.readdir("/proc")).filter((name) => /^\d+$/.test(name))
    const found = await Promise.all(
      pids.map(async (pid) => {
        const environment = await Fs.readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")
        return environment.includes(`STARFORM_BUILD_MARK=${mark}`) ? [pid] : []
      })
    )
    return found.flat()
  })
