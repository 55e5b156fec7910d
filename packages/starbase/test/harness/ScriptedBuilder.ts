/** A builder at the edge of the process that ends each build as the test says: what it answers is up to the caller. */
import { Effect, Layer, Stream } from "effect"
import { BuildService } from "@starform/starbase/builds/BuildService"
import type { BuildCancelled, BuildFailed } from "@starform/starbase/builds/BuildErrors"
import type { BuildResult, BuildSpec } from "@starform/starbase/builds/BuildSpec"

export type Script = (spec: BuildSpec) => Effect.Effect<BuildResult, BuildFailed | BuildCancelled>

export const layer = (script: Script): Layer.Layer<BuildService> =>
  Layer.sync(BuildService, () => {
    const specs = new Map<string, BuildSpec>()
    return BuildService.of({
      ensureProject: () => Effect.void,
      submit: (spec) =>
        Effect.sync(() => {
          if (!specs.has(spec.buildId)) specs.set(spec.buildId, spec)
          return { buildId: spec.buildId, workspaceId: spec.workspaceId }
        }),
      logs: () => Stream.empty,
      status: () => Effect.succeed({ _tag: "Running", step: "build", sinceMs: 0 } as const),
      statusChanges: () => Stream.empty,
      await: ({ buildId }) => Effect.suspend(() => script(specs.get(buildId)!)),
      cancel: () => Effect.void
    })
  })
