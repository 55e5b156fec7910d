/** `BuildService` on this machine: who is building what, and how it ended. Invariants: README. */
import * as Fs from "node:fs/promises"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { BuildId } from "@starform/domain/ids/Ids"
import {
  BuildCancelled,
  BuildFailed,
  BuilderUnavailable,
  BuildUnknown,
  type WorkspaceQueueFull
} from "@starform/starbase/builds/BuildErrors"
import { BuildLog, type BuildLogUnavailable } from "@starform/starbase/builds/BuildLog"
import { BuildQueue } from "@starform/starbase/builds/BuildQueue"
import {
  BuildService,
  type BuildStatus,
  type BuildStep,
  isEnded
} from "@starform/starbase/builds/BuildService"
import type { BuildResult, BuildSpec } from "@starform/starbase/builds/BuildSpec"
import type { BlobStore } from "@starform/starbase/storage/BlobStore"
import * as BuildOutcomes from "./BuildOutcomes.ts"
import * as BuildUsers from "./BuildUsers.ts"
import { makeBuildWorkspace, removeLeftBehind } from "./BuildWorkspace.ts"
import type * as DependencyLayers from "./DependencyLayers.ts"
import { runHostBuild } from "./HostBuild.ts"
import * as HostBuilderConfig from "./HostBuilderConfig.ts"
import { diskFullWords } from "./StepFailures.ts"
import type * as Toolchain from "./Toolchain.ts"

type BuildEnd = BuildFailed | BuildCancelled | BuilderUnavailable

interface ActiveBuild {
  /** Completes when the build has its place in the queue. */
  readonly accepted: Deferred.Deferred<void, WorkspaceQueueFull | BuilderUnavailable>
  readonly status: SubscriptionRef.SubscriptionRef<BuildStatus>
  readonly cancelled: Deferred.Deferred<void>
  /** Completes after the outcome is kept and nothing of the build runs. */
  readonly ended: Deferred.Deferred<BuildResult, BuildEnd>
}

const statusOf = (outcome: BuildOutcomes.BuildOutcome): BuildStatus => {
  switch (outcome._tag) {
    case "Succeeded":
      return { _tag: "Succeeded", result: outcome.result }
    case "Failed":
      return { _tag: "Failed", code: outcome.code, reason: outcome.reason }
    case "Cancelled":
      return { _tag: "Cancelled" }
  }
}

const resultOf = (
  buildId: BuildId,
  outcome: BuildOutcomes.BuildOutcome
): Effect.Effect<BuildResult, BuildFailed | BuildCancelled> => {
  switch (outcome._tag) {
    case "Succeeded":
      return Effect.succeed(outcome.result)
    case "Failed":
      return Effect.fail(
        new BuildFailed({
          buildId,
          code: outcome.code,
          reason: outcome.reason,
          advice: outcome.advice,
          output: outcome.output
        })
      )
    case "Cancelled":
      return Effect.fail(new BuildCancelled({ buildId }))
  }
}

const outcomeOf = (end: BuildFailed | BuildCancelled): BuildOutcomes.BuildOutcome =>
  end._tag === "BuildCancelled"
    ? { _tag: "Cancelled" }
    : { _tag: "Failed", code: end.code, reason: end.reason, advice: end.advice, output: end.output }

/** One build, from its place in the queue to its outcome. */
const carryOut = Effect.fn("HostBuilder.carryOut")(function* (
  spec: BuildSpec,
  { status, cancelled, accepted }: ActiveBuild
) {
  const { buildId, workspaceId } = spec
  const submittedAtMs = yield* Clock.currentTimeMillis
  const place = yield* (yield* BuildQueue).enter({ buildId, workspaceId })
  const log = yield* (yield* BuildLog).writer(buildId)
  const outcomes = yield* BuildOutcomes.BuildOutcomes
  const users = yield* BuildUsers.BuildUsers

  const turn = Stream.runForEach(place.positions, (position) =>
    Effect.andThen(
      position === 0 ? Effect.void : SubscriptionRef.set(status, { _tag: "Queued", position }),
      Deferred.succeed(accepted, undefined)
    )
  )
  const build = Effect.gen(function* () {
    yield* turn
    const startedAtMs = yield* Clock.currentTimeMillis
    const workspace = yield* makeBuildWorkspace(buildId, yield* users.seat(workspaceId), log)
    const onStep = (step: BuildStep) =>
      Effect.flatMap(Clock.currentTimeMillis, (sinceMs) =>
        SubscriptionRef.set(status, { _tag: "Running", step, sinceMs })
      )
    const { durations, ...product } = yield* runHostBuild({ spec, workspace, log, onStep })
    const totalMs = (yield* Clock.currentTimeMillis) - submittedAtMs
    const result = { ...product, durations: { ...durations, queuedMs: startedAtMs - submittedAtMs, totalMs } }
    yield* outcomes.keep(buildId, { _tag: "Succeeded", result })
    return result
  }).pipe(
    Effect.scoped,
    Effect.catchTag("DiskFull", () => Effect.fail(new BuildFailed({ buildId, ...diskFullWords, output: [] })))
  )
  const cancellation = Effect.andThen(Deferred.await(cancelled), new BuildCancelled({ buildId }))

  return yield* Effect.raceFirst(build, cancellation).pipe(
    Effect.tap(({ digest }) => log.write("notice", `image ${digest}`)),
    Effect.tapErrorTag(["BuildFailed", "BuildCancelled"], (end) =>
      outcomes.keep(buildId, outcomeOf(end)).pipe(
        Effect.catch((error) => Effect.logWarning(`build ${buildId}: outcome told but not kept`, error)),
        Effect.andThen(
          log.write("warning", end._tag === "BuildFailed" ? end.reason : "the build was cancelled")
        )
      )
    ),
    Effect.onExit((exit) => {
      const isOver = Exit.isSuccess(exit) || isOutcome(exit.cause)
      const end = Effect.catch(log.end, (error) =>
        Effect.logWarning(`build ${buildId}: the end of its log is missing`, error)
      )
      return isOver ? end : Effect.void
    })
  )
}, Effect.scoped)

/** Whether a build ended in a way that its author hears, rather than by a fault or a stop of ours. */
const isOutcome = (cause: Cause.Cause<{ readonly _tag: string }>): boolean =>
  Option.match(Cause.findErrorOption(cause), {
    onNone: () => false,
    onSome: ({ _tag }) => _tag === "BuildFailed" || _tag === "BuildCancelled"
  })

/** Any end as one that a caller knows. */
const knownEnd = (
  cause: Cause.Cause<BuildEnd | WorkspaceQueueFull | BuildLogUnavailable>
): BuildEnd | WorkspaceQueueFull =>
  Option.match(Cause.findErrorOption(cause), {
    onNone: () => new BuilderUnavailable({ operation: "carry out a build", cause }),
    onSome: (error) =>
      error._tag === "BuildLogUnavailable"
        ? new BuilderUnavailable({ operation: "begin a build's log", cause: error })
        : error
  })

const endStatus = (end: BuildEnd): BuildStatus => {
  switch (end._tag) {
    case "BuildFailed":
      return { _tag: "Failed", code: end.code, reason: end.reason }
    case "BuildCancelled":
      return { _tag: "Cancelled" }
    case "BuilderUnavailable":
      return { _tag: "Broken" }
  }
}

const make = Effect.gen(function* () {
  const config = yield* HostBuilderConfig.HostBuilderConfig
  yield* openFolders(config)
  yield* removeLeftBehind
  const scope = yield* Effect.scope
  const context = yield* Effect.context<CarryOutServices>()
  const outcomes = yield* BuildOutcomes.BuildOutcomes
  const users = yield* BuildUsers.BuildUsers
  const buildLog = yield* BuildLog
  const active = new Map<BuildId, ActiveBuild>()

  const finish =
    (buildId: BuildId, build: ActiveBuild) =>
    (exit: Exit.Exit<BuildResult, BuildEnd | WorkspaceQueueFull | BuildLogUnavailable>) =>
      Effect.gen(function* () {
        active.delete(buildId)
        if (Exit.isSuccess(exit)) {
          yield* SubscriptionRef.set(build.status, { _tag: "Succeeded", result: exit.value })
          return yield* Deferred.succeed(build.ended, exit.value)
        }
        const end = knownEnd(exit.cause)
        if (end._tag === "WorkspaceQueueFull") return yield* Deferred.fail(build.accepted, end)
        if (end._tag === "BuilderUnavailable") {
          if (!Cause.hasInterruptsOnly(exit.cause)) {
            yield* Effect.logWarning(`build ${buildId}: ${end.message}`, end.cause)
          }
          yield* Deferred.fail(build.accepted, end)
        }
        yield* SubscriptionRef.set(build.status, endStatus(end))
        return yield* Deferred.fail(build.ended, end)
      })

  /** Between asking who is active and being active, no other fiber runs: an id is begun once (INV-BLD-1). */
  const join = Effect.fnUntraced(function* (spec: BuildSpec) {
    const status = yield* SubscriptionRef.make<BuildStatus>({ _tag: "Queued", position: 1 })
    const present = active.get(spec.buildId)
    if (present !== undefined) return present
    const build: ActiveBuild = {
      accepted: Deferred.makeUnsafe(),
      status,
      cancelled: Deferred.makeUnsafe(),
      ended: Deferred.makeUnsafe()
    }
    active.set(spec.buildId, build)
    yield* carryOut(spec, build).pipe(
      Effect.interruptible,
      Effect.onExit(finish(spec.buildId, build)),
      Effect.provideContext(context),
      Effect.forkIn(scope)
    )
    return build
  }, Effect.uninterruptible)

  const submit: BuildService["Service"]["submit"] = Effect.fn("HostBuilder.submit")(function* (spec) {
    const { buildId, workspaceId } = spec
    const isOver = !active.has(buildId) && Option.isSome(yield* outcomes.find(buildId))
    if (!isOver) yield* Deferred.await((yield* join(spec)).accepted)
    return { buildId, workspaceId }
  })

  /** The outcome of a build that is not active. */
  const outcome = (buildId: BuildId) =>
    Effect.flatMap(
      outcomes.find(buildId),
      Option.match({
        onNone: () => Effect.fail(new BuildUnknown({ buildId })),
        onSome: (found) => Effect.succeed(found)
      })
    )

  const statusChanges: BuildService["Service"]["statusChanges"] = ({ buildId }) =>
    Stream.suspend(() => {
      const build = active.get(buildId)
      return build === undefined
        ? Stream.fromEffect(Effect.map(outcome(buildId), statusOf))
        : SubscriptionRef.changes(build.status).pipe(Stream.takeUntil(isEnded))
    })

  return BuildService.of({
    ensureProject: (workspaceId) => Effect.scoped(Effect.asVoid(users.seat(workspaceId))),
    submit,
    logs: ({ buildId }, fromChunk) => buildLog.follow(buildId, fromChunk),
    status: ({ buildId }) =>
      Effect.suspend(() => {
        const build = active.get(buildId)
        return build === undefined
          ? Effect.map(outcome(buildId), statusOf)
          : SubscriptionRef.get(build.status)
      }),
    statusChanges,
    await: ({ buildId }) =>
      Effect.suspend(() => {
        const build = active.get(buildId)
        return build === undefined
          ? Effect.flatMap(outcome(buildId), (found) => resultOf(buildId, found))
          : Deferred.await(build.ended)
      }),
    cancel: ({ buildId }) =>
      Effect.suspend(() => {
        const build = active.get(buildId)
        if (build === undefined) return Effect.void
        return Effect.andThen(
          Deferred.succeed(build.cancelled, undefined),
          Effect.exit(Deferred.await(build.ended))
        )
      }).pipe(Effect.asVoid)
  })
})

type CarryOutServices = Effect.Services<ReturnType<typeof carryOut>>

/** Folders of the builder; those that build users must pass are open to be entered, not to be listed. */
const openFolders = (config: HostBuilderConfig.HostBuilderSettings) =>
  Effect.tryPromise({
    try: async () => {
      const { work, npm, layers, users, outcomes } = HostBuilderConfig.foldersOf(config)
      for (const path of [config.directory, work, npm]) {
        await Fs.mkdir(path, { recursive: true })
        await Fs.chmod(path, 0o711)
      }
      for (const path of [layers, users, outcomes]) await Fs.mkdir(path, { recursive: true, mode: 0o700 })
    },
    catch: (cause) => new BuilderUnavailable({ operation: "open its folders", cause })
  })

/** Ends running builds when its scope closes; they have no outcome then (INV-HBL-6). */
export const layerNoDeps: Layer.Layer<
  BuildService,
  BuilderUnavailable,
  | HostBuilderConfig.HostBuilderConfig
  | BlobStore
  | BuildQueue
  | BuildLog
  | BuildUsers.BuildUsers
  | BuildOutcomes.BuildOutcomes
  | DependencyLayers.DependencyLayers
  | Toolchain.Toolchain
> = Layer.effect(BuildService, make)
