/** The builder of one process: the real queue, and builds that end as chance says. What it knows is gone with its process. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import {
  BuildCancelled,
  BuildFailed,
  BuilderUnavailable,
  BuildUnknown
} from "@starform/starbase/builds/BuildErrors"
import { BuildLog } from "@starform/starbase/builds/BuildLog"
import * as BuildQueue from "@starform/starbase/builds/BuildQueue"
import { BuildService } from "@starform/starbase/builds/BuildService"
import type { BuildResult, BuildSpec } from "@starform/starbase/builds/BuildSpec"
import { Digest, ImageReference } from "@starform/domain/ids/Digest"
import { ProcessName } from "@starform/domain/ids/Slug"
import { hashOf } from "./Chance.ts"
import type { Process } from "./World.ts"

/** How one attempt at one build goes. */
export type Course =
  | { readonly kind: "succeeds" | "fails"; readonly afterMs: number }
  | { readonly kind: "hangs" }

export interface BuilderFaults {
  readonly courseOf: (spec: BuildSpec) => Course
  /** Whether the builder does not answer now. */
  readonly isAway: () => boolean
}

type Outcome = Deferred.Deferred<BuildResult, BuildFailed | BuildCancelled | BuilderUnavailable>

interface Build {
  readonly outcome: Outcome
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

/** Of one source always the same image. */
export const resultOf = ({ source, buildId }: Pick<BuildSpec, "source" | "buildId">): BuildResult => {
  const digest = Digest.make(`sha256:${hashOf(`${source} ${buildId}`).toString(16).padStart(64, "0")}`)
  return {
    digest,
    image: ImageReference.make(`registry.test/app@${digest}`),
    processes: [{ name: ProcessName.make("web"), command: ["node", "server.js"] }],
    healthPath: null,
    durations: { queuedMs: 0, sourceMs: 0, installMs: 0, buildMs: 0, packageMs: 0, totalMs: 0 }
  }
}

const run = (spec: BuildSpec, course: Course): Effect.Effect<BuildResult, BuildFailed> => {
  if (course.kind === "hangs") return Effect.never
  const ended =
    course.kind === "succeeds"
      ? Effect.succeed(resultOf(spec))
      : Effect.fail(
          new BuildFailed({
            buildId: spec.buildId,
            code: "InstallFailed",
            reason: "npm ci ended with status 1",
            advice: "Run it on your machine.",
            output: []
          })
        )
  return Effect.delay(ended, course.afterMs)
}

export const layer = (process: Process, faults: BuilderFaults): Layer.Layer<BuildService, never, BuildLog> =>
  Layer.effect(
    BuildService,
    Effect.gen(function* () {
      const queue = yield* BuildQueue.BuildQueue
      const logs = yield* BuildLog
      const scope = yield* Effect.scope
      const builds = new Map<string, Build>()
      const oneAtATime = Semaphore.makeUnsafe(1).withPermit
      const present = Effect.suspend(() =>
        faults.isAway()
          ? Effect.fail(new BuilderUnavailable({ operation: "submit", cause: "nobody answers" }))
          : Effect.void
      )

      /** A build goes on without its log. */
      const logged = <A, E>(spec: BuildSpec, build: Effect.Effect<A, E>) =>
        Effect.gen(function* () {
          const log = yield* Effect.option(logs.writer(spec.buildId))
          if (log._tag === "None") return yield* build
          yield* log.value.write("output", "npm ci")
          return yield* Effect.ensuring(build, Effect.ignore(log.value.end))
        }).pipe(Effect.scoped)

      const begin = Effect.fnUntraced(function* (spec: BuildSpec) {
        const own = yield* Scope.fork(scope)
        const place = yield* Scope.provide(queue.enter(spec), own)
        const outcome = yield* Deferred.make<BuildResult, BuildFailed | BuildCancelled | BuilderUnavailable>()
        const fiber = yield* place.turn.pipe(
          Effect.andThen(logged(spec, run(spec, faults.courseOf(spec)))),
          Effect.onExit((exit) =>
            Effect.andThen(
              Scope.close(own, Exit.void),
              Deferred.done(
                outcome,
                Exit.hasInterrupts(exit) ? Exit.fail(new BuildCancelled({ buildId: spec.buildId })) : exit
              )
            )
          ),
          Effect.forkIn(scope)
        )
        process.world.note(process.name, "build begins")
        return { outcome, fiber }
      })

      return BuildService.of({
        ensureProject: () => present,
        submit: Effect.fnUntraced(function* (spec) {
          yield* present
          if (!builds.has(spec.buildId)) builds.set(spec.buildId, yield* begin(spec))
          return { buildId: spec.buildId, workspaceId: spec.workspaceId }
        }, oneAtATime),
        logs: () => Stream.empty,
        status: () => Effect.succeed({ _tag: "Running", step: "build", sinceMs: 0 } as const),
        statusChanges: () => Stream.empty,
        await: ({ buildId }) =>
          Effect.andThen(
            present,
            Effect.suspend(() => {
              const build = builds.get(buildId)
              return Effect.fromNullishOr(build).pipe(
                Effect.mapError(() => new BuildUnknown({ buildId })),
                Effect.flatMap(({ outcome }) => Deferred.await(outcome))
              )
            })
          ),
        cancel: ({ buildId }) =>
          Effect.andThen(
            present,
            Effect.suspend(() => {
              const build = builds.get(buildId)
              return build === undefined ? Effect.void : Fiber.interrupt(build.fiber)
            })
          )
      })
    })
  ).pipe(Layer.provide(BuildQueue.layer()))
