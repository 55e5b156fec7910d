/** The Tenant entity at work: each message is one pure decision over the journal. */
import { NotFound } from "@starform/domain/errors/RequestErrors"
import { Environment, Project, Service, Workspace } from "@starform/domain/model/Workspace"
import * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import type { Decision } from "../../journal/JournaledEntity.ts"
import * as EntityBehavior from "../EntityBehavior.ts"
import * as Decisions from "./TenantDecisions.ts"
import { TenantEntity } from "./TenantEntity.ts"
import { model } from "./TenantModel.ts"
import type { TenantEvent, TenantState } from "./TenantState.ts"

type Tenant = EntityBehavior.Incarnation<TenantState, TenantEvent>

const decide = <Payload, Reply, E>(
  reply: Schema.Codec<Reply, unknown>,
  decision: (
    state: TenantState,
    payload: Payload & EntityBehavior.Command
  ) => Result.Result<Decision<TenantState, TenantEvent, Reply>, E>
) => EntityBehavior.decide<TenantState, TenantEvent, Payload, Reply, E>("Tenant", reply, decision)

const handlers = EntityBehavior.handlersOf(TenantEntity)<Tenant>()({
  CreateWorkspace: decide(Workspace, Decisions.createWorkspace),
  AddToken: decide(Schema.Void, Decisions.addToken),
  RevokeToken: decide(Schema.Void, Decisions.revokeToken),
  CreateProject: decide(Project, Decisions.createProject),
  CreateEnvironment: decide(Environment, Decisions.createEnvironment),
  CreateService: decide(Service, Decisions.createService),
  GetTenant: ({ id, journaled }) =>
    journaled.state.pipe(
      Effect.filterOrFail(
        (state) => state.workspace !== null,
        () => new NotFound({ kind: "workspace", name: id })
      ),
      Rpc.fork
    ),
  ...EntityBehavior.operators
})

/** Needs the journal and a cluster. */
export const layerNoDeps = TenantEntity.toLayer(Effect.map(EntityBehavior.open(model), handlers), {
  maxIdleTime: "5 minutes"
})
