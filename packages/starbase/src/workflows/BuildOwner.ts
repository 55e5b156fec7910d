/**
 * How other processes reach the build of a deploy where it runs: an entity on the shard of the build's workflow, so that
 * the runner which owns the one owns the other, and the builder that runs the build is the one that is asked.
 */
import { Unavailable } from "@starform/domain/errors/RequestErrors"
import { BuildView } from "@starform/domain/protocol/OperatorRpcs"
import * as ClusterSchema from "effect/cluster/ClusterSchema"
import * as Entity from "effect/cluster/Entity"
import * as Effect from "effect/Effect"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import { BuildHandle } from "../builds/BuildSpec.ts"
import { BuildService, type BuildStatus } from "../builds/BuildService.ts"

/** Idempotent; answers when nothing of the build runs any more. Whoever stops waiting leaves the cancelling as it is. */
const CancelBuild = Rpc.make("CancelBuild", {
  payload: { handle: BuildHandle },
  success: Schema.Void,
  error: Unavailable
})

/** For operators: what the builder says of the build. Never behind a cancel. */
const GetBuild = Rpc.make("GetBuild", {
  payload: { handle: BuildHandle },
  success: BuildView,
  error: Unavailable
})

const nothing = { position: null, step: null, sinceMs: null }

const viewOf = (status: BuildStatus): BuildView => {
  switch (status._tag) {
    case "Queued":
      return { ...nothing, status: "queued", position: status.position }
    case "Running":
      return { ...nothing, status: "running", step: status.step, sinceMs: status.sinceMs }
    default:
      return { ...nothing, status: "ended" }
  }
}

/** Its id is the execution id of the build's workflow. */
export const BuildOwner = Entity.make("BuildOwner", [CancelBuild, GetBuild]).annotate(
  ClusterSchema.ShardGroup,
  () => "builds"
)

/** Needs the builder of this process. */
export const layerNoDeps = BuildOwner.toLayer(
  Effect.map(BuildService, (builds) =>
    BuildOwner.of({
      CancelBuild: ({ payload: { handle } }) =>
        builds.cancel(handle).pipe(
          Effect.tapError((error) =>
            Effect.logWarning(`build ${handle.buildId} is not cancelled yet`, error)
          ),
          Effect.mapError(() => new Unavailable({ what: `builder of ${handle.buildId}` }))
        ),
      GetBuild: ({ payload: { handle } }) =>
        builds.status(handle).pipe(
          Effect.map(viewOf),
          Effect.catchTag("BuildUnknown", () => Effect.succeed<BuildView>({ ...nothing, status: "unknown" })),
          Effect.mapError(() => new Unavailable({ what: `builder of ${handle.buildId}` })),
          Rpc.fork
        )
    })
  )
)
