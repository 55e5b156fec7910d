/** A builder at the edge of the process that ends each build as the test says: what it prints and answers is up to the caller. */
import { Deferred, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { BuildCancelled, type BuildFailed } from "@starform/starbase/builds/BuildErrors"
import { BuildLog, type LineSource } from "@starform/starbase/builds/BuildLog"
import { BuildService } from "@starform/starbase/builds/BuildService"
import type { BuildResult, BuildSpec } from "@starform/starbase/builds/BuildSpec"

export type Script = (
  spec: BuildSpec,
  print: (line: string, source?: LineSource) => Effect.Effect<void>
) => Effect.Effect<BuildResult, BuildFailed | BuildCancelled>

interface Build {
  readonly outcome: Deferred.Deferred<BuildResult, BuildFailed | BuildCancelled>
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

export const layer = (script: Script): Layer.Layer<BuildService, never, BuildLog> =>
  Layer.effect(
    BuildService,
    Effect.gen(function* () {
      const logs = yield* BuildLog
      const scope = yield* Effect.scope
      const builds = new Map<string, Build>()

      const run = Effect.fnUntraced(function* (spec: BuildSpec) {
        const log = yield* Effect.orDie(logs.writer(spec.buildId))
        return yield* script(spec, (line, source = "output") => log.write(source, line)).pipe(
          Effect.onExit(() => Effect.ignore(log.end)),
          Effect.onInterrupt(() => Effect.void)
        )
      }, Effect.scoped)

      return BuildService.of({
        ensureProject: () => Effect.void,
        submit: Effect.fnUntraced(function* (spec) {
          if (!builds.has(spec.buildId)) {
            const outcome = yield* Deferred.make<BuildResult, BuildFailed | BuildCancelled>()
            const fiber = yield* run(spec).pipe(
              Effect.onExit((exit) =>
                Deferred.done(
                  outcome,
                  Exit.hasInterrupts(exit) ? Exit.fail(new BuildCancelled({ buildId: spec.buildId })) : exit
                )
              ),
              Effect.forkIn(scope)
            )
            builds.set(spec.buildId, { outcome, fiber })
          }
          return { buildId: spec.buildId, workspaceId: spec.workspaceId }
        }),
        logs: ({ buildId }, fromChunk) => logs.follow(buildId, fromChunk),
        status: () => Effect.succeed({ _tag: "Running", step: "build", sinceMs: 0 } as const),
        statusChanges: () => Stream.empty,
        await: ({ buildId }) => Effect.suspend(() => Deferred.await(builds.get(buildId)!.outcome)),
        cancel: ({ buildId }) =>
          Effect.suspend(() => {
            const build = builds.get(buildId)
            return build === undefined ? Effect.void : Fiber.interrupt(build.fiber)
          })
      })
    })
  )
