/** Public RPCs of the operators' desk, and `ExplainApp` for whoever may read an app. */
import { NotFound } from "@starform/domain/errors/RequestErrors"
import { CurrentPrincipal } from "@starform/domain/model/Principal"
import { OperatorRpcs } from "@starform/domain/protocol/OperatorRpcs"
import * as Effect from "effect/Effect"
import { Directory } from "./Directory.ts"
import { OperatorDesk } from "./operator/OperatorDesk.ts"
import { explain } from "./operator/why/AppExplanation.ts"
import { GatherFacts } from "./operator/why/GatherFacts.ts"

/** For all others there is nothing here (INV-OPR-1). */
const operator = Effect.fnUntraced(function* (kind: string, name: string) {
  const principal = yield* CurrentPrincipal
  if (principal._tag !== "Operator") return yield* new NotFound({ kind, name })
  return principal
})

export const layerNoDeps = OperatorRpcs.toLayer(
  Effect.gen(function* () {
    const desk = yield* OperatorDesk
    const directory = yield* Directory
    const facts = yield* GatherFacts

    return OperatorRpcs.of({
      InspectActivity: ({ type, id }) =>
        Effect.flatMap(operator(type, id), (by) => desk.activity(by, type, id)),
      ListRunners: () => Effect.flatMap(operator("runner", ""), (by) => desk.runners(by)),
      ListShardMoves: ({ before, limit }) =>
        Effect.flatMap(operator("runner", ""), (by) => desk.moves(by, before, limit)),
      ListRunningDeploys: () => Effect.flatMap(operator("deploy", ""), (by) => desk.deploys(by)),
      ListOutbox: ({ limit }) => Effect.flatMap(operator("outbox", ""), (by) => desk.outbox(by, limit)),
      DiagnoseApp: ({ appId }) => Effect.flatMap(operator("App", appId), (by) => desk.why(by, appId)),
      PassivateEntity: ({ type, id }) =>
        Effect.flatMap(operator(type, id), (by) => desk.passivate(by, type, id)),
      DrainRunner: ({ address, drained }) =>
        Effect.flatMap(operator("runner", address), (by) => desk.drain(by, address, drained)),
      RetryDeploy: ({ deployId }) =>
        Effect.flatMap(operator("deploy", deployId), (by) => desk.retry(by, deployId)),
      StopDeploy: ({ deployId, requestId }) =>
        Effect.flatMap(operator("deploy", deployId), (by) => desk.cancel(by, deployId, requestId)),
      ReadAudit: ({ before, limit }) =>
        Effect.flatMap(operator("audit", ""), (by) => desk.audit(by, before, limit)),

      ExplainApp: Effect.fnUntraced(function* ({ app }) {
        const { appId } = yield* directory.app(yield* CurrentPrincipal, app, "read")
        return explain(yield* facts.gather(appId), "person")
      })
    })
  })
)
