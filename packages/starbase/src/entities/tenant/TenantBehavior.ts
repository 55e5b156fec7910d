/** The Tenant entity at work: each message is one pure decision over the journal. */
import { NotFound } from "@starform/domain/errors/RequestErrors"
import type { Principal } from "@starform/domain/model/Principal"
import { Environment, Project, Service, Workspace } from "@starform/domain/model/Workspace"
import * as Entity from "effect/cluster/Entity"
import * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import * as JournaledEntity from "../../journal/JournaledEntity.ts"
import { rejectedOnlyOnNewest } from "../NewestState.ts"
import * as EntityActivity from "../EntityActivity.ts"
import * as Decisions from "./TenantDecisions.ts"
import { measured } from "../../metrics/StarbaseMetrics.ts"
import { TenantEntity } from "./TenantEntity.ts"
import { model } from "./TenantModel.ts"
import type { TenantEvent, TenantState } from "./TenantState.ts"

interface Command {
  readonly requestId: string
  readonly principal: Principal
}

const make = Effect.gen(function* () {
  const { entityId } = yield* Entity.CurrentAddress
  const tenant = yield* JournaledEntity.open(model, entityId)
  const activity = yield* EntityActivity.open(model.type, entityId, tenant.sequence)

  const decide = <Payload, Reply, E>(
    reply: Schema.Codec<Reply, unknown>,
    decision: (
      state: TenantState,
      payload: Payload & Command
    ) => Result.Result<JournaledEntity.Decision<TenantState, TenantEvent, Reply>, E>
  ) =>
    Effect.fnUntraced(function* ({
      payload,
      tag
    }: {
      readonly payload: Payload & Command
      readonly tag: string
    }) {
      const { requestId, principal } = payload
      return yield* tenant
        .execute({
          requestId,
          principal,
          payload,
          reply,
          decide: (state) => decision(state, payload)
        })
        .pipe(rejectedOnlyOnNewest(tenant), measured("Tenant", tag))
    })

  const handlers = TenantEntity.of({
    CreateWorkspace: decide(Workspace, Decisions.createWorkspace),
    AddToken: decide(Schema.Void, Decisions.addToken),
    RevokeToken: decide(Schema.Void, Decisions.revokeToken),
    CreateProject: decide(Project, Decisions.createProject),
    CreateEnvironment: decide(Environment, Decisions.createEnvironment),
    CreateService: decide(Service, Decisions.createService),
    GetTenant: () =>
      tenant.state.pipe(
        Effect.filterOrFail(
          (state) => state.workspace !== null,
          () => new NotFound({ kind: "workspace", name: entityId })
        ),
        Rpc.fork
      ),

    // Tells what waits and what works, so it must not wait itself.
    InspectActivity: () => activity.look.pipe(Rpc.fork),

    Passivate: () => Effect.map(tenant.reload, () => tenant.sequence() ?? 0)
  })
  return activity.watch(handlers)
})

/** Needs the journal and a cluster. */
export const layerNoDeps = TenantEntity.toLayer(make, { maxIdleTime: "5 minutes" })
