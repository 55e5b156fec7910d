/** What each outbox effect does: asks another entity, or starts, settles or ends a deploy's work. */
import type { Overloaded, Unavailable } from "@starform/domain/errors/RequestErrors"
import type { Reaction } from "@starform/domain/errors/Reaction"
import { classOf } from "@starform/domain/errors/Reaction"
import { BuildId, RequestId } from "@starform/domain/ids/Ids"
import type { Principal } from "@starform/domain/model/Principal"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { EntityClients } from "../entities/EntityClients.ts"
import { DeployRuns } from "../workflows/DeployRuns.ts"
import { EffectPostponed, OutboxPerformer } from "./OutboxRelay.ts"

const principal: Principal = { _tag: "System", part: "outbox" }

interface Classed {
  readonly reaction: Reaction
  readonly message: string
}

/** INV-OUT-3: rejected is done, everything else is repeated. */
const settle = <R>(
  effect: Effect.Effect<unknown, Classed | Overloaded | Unavailable, R>
): Effect.Effect<void, EffectPostponed, R> =>
  effect.pipe(
    Effect.asVoid,
    Effect.catch((error) =>
      classOf(error.reaction) === "rejected"
        ? Effect.logInfo(`outbox effect rejected: ${error.message}`)
        : Effect.fail(new EffectPostponed({ problem: error.message }))
    )
  )

export const layerNoDeps = Layer.effect(
  OutboxPerformer,
  Effect.gen(function* () {
    const entities = yield* EntityClients
    const deploys = yield* DeployRuns
    return OutboxPerformer.of({
      perform: (effect, id) => {
        const requestId = RequestId.make(id)
        switch (effect._tag) {
          case "StartDeploy":
            return deploys.start(effect)
          case "SettleDeploy":
            return deploys.settle(effect.deployId)
          case "CancelBuild":
            return deploys.cancelBuild({
              buildId: BuildId.make(effect.deployId),
              workspaceId: effect.workspaceId
            })
          case "PutDesired":
            return settle(
              entities.cluster(effect.clusterId, (cluster) =>
                cluster.PutDesired({ requestId, principal, entry: effect.entry })
              )
            )
          case "RemoveDesired":
            return settle(
              entities.cluster(effect.clusterId, (cluster) =>
                cluster.RemoveDesired({
                  requestId,
                  principal,
                  appId: effect.appId,
                  ordinal: effect.ordinal
                })
              )
            )
          case "TellObserved":
            return settle(
              entities.app(effect.appId, (app) => app.Observe({ principal, observed: effect.observed }))
            )
        }
      }
    })
  })
)
