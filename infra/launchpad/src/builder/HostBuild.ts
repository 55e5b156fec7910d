/** One build from source to image. README has the steps; queue, log and outcome belong to `HostBuilder`. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as SemVer from "effect/SemVer"
import * as SemVerRange from "effect/SemVerRange"
import * as AppId from "@starform/domain/ids/AppId"
import { BuildFailed, BuilderUnavailable } from "@starform/starbase/builds/BuildErrors"
import type { BuildLogWriter } from "@starform/starbase/builds/BuildLog"
import type { BuildStep } from "@starform/starbase/builds/BuildService"
import type { BuildResult, BuildSpec } from "@starform/starbase/builds/BuildSpec"
import { type BlobEntry, BlobStore } from "@starform/starbase/storage/BlobStore"
import { imageReference } from "../images/OciImage.ts"
import { hostPlatform, writeImage } from "../images/OciImageWriter.ts"
import type { TreeRefused } from "../images/TreeErrors.ts"
import { listTree } from "../images/TreeListing.ts"
import { packTree } from "../images/TreePack.ts"
import { appPrefix, installApp, installCommand, packModules } from "./AppInstall.ts"
import { type BuildPlan, planBuild } from "./BuildPlan.ts"
import type { BuildWorkspace } from "./BuildWorkspace.ts"
import { HostBuilderConfig } from "./HostBuilderConfig.ts"
import { siteLayers } from "./SiteLayers.ts"
import { checkedSource, listSource, unpackSource } from "./SourceTree.ts"
import { type Start, startOf } from "./StartCommand.ts"
import { diskFullWords, type FailureWords, stepFailureWords } from "./StepFailures.ts"
import type { StepFailed } from "./StepProcess.ts"
import { type ToolVersions, Toolchain } from "./Toolchain.ts"

export interface HostBuildOptions {
  readonly spec: BuildSpec
  readonly workspace: BuildWorkspace
  readonly log: BuildLogWriter
  /** Told when a step begins. */
  readonly onStep: (step: BuildStep) => Effect.Effect<void>
}

/** What a build makes; the builder adds how long it waited. */
export type HostBuildProduct = Omit<BuildResult, "durations"> & {
  readonly durations: Omit<BuildResult["durations"], "queuedMs" | "totalMs">
}

const imageEnvironment = {
  NODE_ENV: "production",
  PATH: `/${appPrefix}/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`
}

const engineNote = (plan: BuildPlan, versions: ToolVersions): string | undefined => {
  const wanted = plan.start.packageJson?.engines?.node
  if (wanted === undefined) return undefined
  const range = SemVerRange.parse(wanted)
  const version = SemVer.parse(versions.node)
  const fits =
    Result.isSuccess(range) &&
    Result.isSuccess(version) &&
    SemVerRange.matches(range.success, version.success)
  return fits ? undefined : `package.json asks for Node.js ${wanted}; this host has ${versions.node}`
}

const refusedTree = (error: TreeRefused): FailureWords => ({
  code: error.problem === "linkLeavesTree" ? "UnsafeLink" : "SourceInvalid",
  reason: `the built tree cannot become an image: ${error.message}`,
  advice: "Make the build leave plain files and relative links inside the app's folder only."
})

/** @errors BuildFailed in words for the author; BuilderUnavailable for faults of ours */
export const runHostBuild = Effect.fn("runHostBuild")(function* (options: HostBuildOptions) {
  const { spec, workspace, log, onStep } = options
  const settings = yield* HostBuilderConfig
  const blobs = yield* BlobStore

  const failed = (words: FailureWords, output: ReadonlyArray<string> = []) =>
    new BuildFailed({ buildId: spec.buildId, ...words, output })

  const timed = <A, E, R>(step: BuildStep, effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      yield* onStep(step)
      const startedAtMs = yield* Clock.currentTimeMillis
      const value = yield* effect
      return [value, (yield* Clock.currentTimeMillis) - startedAtMs] as const
    })

  const stepWords =
    (command: ReadonlyArray<string>, code: BuildFailed["code"]) =>
    (error: StepFailed): BuildFailed | BuilderUnavailable =>
      error.end === "notStarted"
        ? new BuilderUnavailable({ operation: `start ${command[0]}`, cause: error })
        : failed(
            stepFailureWords(error, shown(command), code, workspace.tail(), settings),
            workspace.tail().slice()
          )

  const plan = Effect.gen(function* () {
    yield* unpackSource(spec.source, workspace.app, workspace.seat.user)
    const source = yield* checkedSource(workspace.app)
    const planned = yield* Effect.fromResult(planBuild(source))
    if (planned.build === null) yield* Effect.fromResult(startOf(planned.start, source))
    const versions = yield* (yield* Toolchain).versions
    for (const note of planned.notes) yield* log.write(note.source, note.text)
    const engine = engineNote(planned, versions)
    if (engine !== undefined) yield* log.write("warning", engine)
    return { planned, source, versions }
  })

  const build = (planned: BuildPlan) =>
    Effect.gen(function* () {
      if (planned.build !== null) {
        yield* log.write("notice", `$ ${shown(planned.build)}`)
        yield* workspace.run(planned.build).pipe(Effect.mapError(stepWords(planned.build, "BuildStepFailed")))
      }
      if (planned.install?.pruneDev === true) {
        const prune = ["npm", "prune", "--omit=dev", "--ignore-scripts"]
        yield* workspace.run(prune).pipe(Effect.mapError(stepWords(prune, "InstallFailed")))
      }
    })

  const appLayers = (start: Start, planned: BuildPlan, known: Option.Option<BlobEntry>) =>
    Effect.gen(function* () {
      if (start.site !== null) return yield* siteLayers(workspace, start.site)
      const modules = planned.install === null || Option.isSome(known) ? known : yield* packModules(workspace)
      const hasModules = planned.install !== null
      const entries = yield* listTree(workspace.app, (path) => !hasModules || path !== "node_modules")
      const ownerUid = workspace.seat.user?.uid ?? null
      const app = yield* blobs.put(packTree({ root: workspace.app, entries, prefix: appPrefix, ownerUid }))
      return [...Option.toArray(modules), app]
    })

  const built = Effect.gen(function* () {
    const [{ planned, source, versions }, sourceMs] = yield* timed("source", plan)
    const install = planned.install
    const [known, installMs] =
      install === null
        ? [Option.none<BlobEntry>(), 0]
        : yield* timed(
            "install",
            installApp(spec.workspaceId, workspace, install, source, versions, log).pipe(
              Effect.catchTag("StepFailed", (error) =>
                Effect.fail(stepWords(installCommand(install), "InstallFailed")(error))
              )
            )
          )
    const isBuildNeeded = planned.build !== null || install?.pruneDev === true
    const [, buildMs] = isBuildNeeded ? yield* timed("build", build(planned)) : [undefined, 0]
    const [product, packageMs] = yield* timed(
      "package",
      Effect.gen(function* () {
        const present = planned.build === null ? source : yield* listSource(workspace.app)
        const start = yield* Effect.fromResult(startOf(planned.start, present))
        const digest = yield* writeImage({
          layers: yield* appLayers(start, planned, known),
          command: start.processes[0]?.command ?? [],
          environment: imageEnvironment,
          workingDirectory: `/${appPrefix}`,
          base: `node v${versions.node}`,
          platform: hostPlatform()
        })
        return { digest, processes: start.processes }
      })
    )
    const { serviceId } = yield* Effect.fromResult(AppId.parse(spec.appId))
    return {
      ...product,
      image: imageReference(spec.workspaceId, serviceId, product.digest),
      healthPath: planned.healthPath,
      durations: { sourceMs, installMs, buildMs, packageMs }
    } satisfies HostBuildProduct
  })

  const unavailable = (operation: string) => (cause: unknown) =>
    Effect.fail(new BuilderUnavailable({ operation, cause }))

  return yield* built.pipe(
    Effect.catchTags({
      PlanRefused: ({ code, reason, advice }) => Effect.fail(failed({ code, reason, advice })),
      DiskFull: () => Effect.fail(failed(diskFullWords)),
      TreeRefused: (error) => Effect.fail(failed(refusedTree(error))),
      TreeUnavailable: unavailable("read or write the build's files"),
      BlobStoreUnavailable: unavailable("store the image"),
      SchemaError: unavailable("read the app's id")
    })
  )
})

/** A command as a person would type it: what a shell runs for us is shown without the shell. */
const shown = (argv: ReadonlyArray<string>): string => {
  const [shell, option, text] = argv
  return shell === "/bin/sh" && option === "-c" && text !== undefined
    ? text.replace(/^exec (env )?/, "")
    : argv.join(" ")
}
