/** The App entity at work: each message is one pure decision over the journal. No business fact is decided here. */
import { NotFound } from "@starform/domain/errors/RequestErrors"
import { Deploy, isTerminal } from "@starform/domain/model/Deploy"
import * as Principal from "@starform/domain/model/Principal"
import * as Entity from "effect/cluster/Entity"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import * as JournaledEntity from "../../journal/JournaledEntity.ts"
import { rejectedOnlyOnNewest } from "../NewestState.ts"
import { createApp } from "./AppCreation.ts"
import * as Deploys from "./AppDeploys.ts"
import { AppEntity } from "./AppEntity.ts"
import { model } from "./AppModel.ts"
import { observe } from "./AppObservation.ts"
import * as Settings from "./AppSettingsChange.ts"
import { type AppEvent, AppIdentity, type AppState, findDeploy } from "./AppState.ts"

type Decide<Reply, E> = JournaledEntity.Decide<AppState, AppEvent, Reply, E>

interface Command {
  readonly requestId: string
  readonly principal: Principal.Principal
}

const make = Effect.gen(function* () {
  const { entityId } = yield* Entity.CurrentAddress
  const app = yield* JournaledEntity.open(model, entityId)

  /** Runs one decision under the request id of its message. */
  const decide = <Payload, Reply, E>(
    reply: Schema.Codec<Reply, unknown>,
    decision: (state: AppState, payload: Payload & Command, nowMs: number) => ReturnType<Decide<Reply, E>>
  ) =>
    Effect.fnUntraced(function* ({ payload }: { readonly payload: Payload & Command }) {
      const { requestId, principal } = payload
      return yield* app
        .execute({
          requestId,
          principal,
          payload,
          reply,
          decide: (state, nowMs) => decision(state, payload, nowMs)
        })
        .pipe(rejectedOnlyOnNewest(app))
    })

  const by = <P extends Command>(payload: P) => ({
    ...payload,
    requestedBy: Principal.describe(payload.principal)
  })

  const MaybeDeploy = Schema.NullOr(Deploy)

  return AppEntity.of({
    CreateApp: decide(AppIdentity, createApp),
    AcceptPush: decide(Deploy, (state, push, nowMs) => Deploys.acceptPush(state, by(push), nowMs)),
    RollBack: decide(Deploy, (state, command, nowMs) => Deploys.rollBack(state, by(command), nowMs)),
    Restart: decide(Deploy, (state, command, nowMs) => Deploys.restart(state, by(command), nowMs)),
    SetScale: decide(MaybeDeploy, (state, change, nowMs) => Settings.setScale(state, by(change), nowMs)),
    SetHealthCheck: decide(MaybeDeploy, (state, change, nowMs) =>
      Settings.setHealthCheck(state, by(change), nowMs)
    ),
    SetVariables: decide(MaybeDeploy, (state, change, nowMs) =>
      Settings.setVariables(state, by(change), nowMs)
    ),
    CancelDeploy: decide(Deploy, Deploys.cancelDeploy),
    StartBuild: decide(Deploy, Deploys.startBuild),
    RecordRelease: decide(Deploy, Deploys.recordRelease),
    StartRollout: decide(Deploy, Deploys.startRollout),
    FailDeploy: decide(Deploy, Deploys.failDeploy),
    SettleBranch: decide(Schema.Void, Deploys.settleBranch),

    // The Cluster tells of a change once: that it changes nothing here must not be for what this memory has missed.
    Observe: Effect.fnUntraced(function* ({ payload: { principal, observed } }) {
      let changesNothing = false
      const observing = app.observe({
        origin: "observed",
        principal,
        decide: (state, nowMs) => {
          const decision = observe(state, observed, nowMs)
          changesNothing = decision.events.length === 0
          return Result.succeed(decision)
        }
      })
      yield* observing
      if (changesNothing) yield* Effect.andThen(app.reload, observing)
    }),

    // Reads do not queue behind commands: the state is one immutable value, replaced after each append.
    GetApp: () => app.state.pipe(Rpc.fork),

    // Parked waits must not hold up commands; each sees whole states only.
    AwaitDeploy: ({ payload: { deployId, phasesSeen, waitMs } }) =>
      app
        .awaitState((state) => {
          const deploy = findDeploy(state, deployId)
          return deploy === undefined || deploy.phases.length > phasesSeen || isTerminal(deploy.phase)
        }, Duration.millis(waitMs))
        .pipe(
          Effect.flatMap((state) => {
            const deploy = findDeploy(state, deployId)
            return deploy === undefined
              ? Effect.fail(new NotFound({ kind: "deploy", name: deployId }))
              : Effect.succeed(Deploys.publicDeploy(deploy))
          }),
          Rpc.fork
        )
  })
})

/** Needs the journal and a cluster. An app that nobody asks for 5 minutes leaves memory. */
export const layerNoDeps = AppEntity.toLayer(make, { maxIdleTime: "5 minutes" })
