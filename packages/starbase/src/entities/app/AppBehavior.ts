/** The App entity at work: each message is one pure decision over the journal. No business fact is decided here. */
import { NotFound } from "@starform/domain/errors/RequestErrors"
import { AppId } from "@starform/domain/ids/AppId"
import type { DeployId } from "@starform/domain/ids/Ids"
import { Deploy, isTerminal } from "@starform/domain/model/Deploy"
import * as Principal from "@starform/domain/model/Principal"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import type * as JournaledEntity from "../../journal/JournaledEntity.ts"
import { tell } from "../../metrics/DeployEnds.ts"
import { measured } from "../../metrics/StarbaseMetrics.ts"
import * as EntityBehavior from "../EntityBehavior.ts"
import { rejectedOnlyOnNewest } from "../NewestState.ts"
import { createApp } from "./AppCreation.ts"
import * as Deploys from "./AppDeploys.ts"
import { AppEntity } from "./AppEntity.ts"
import { model } from "./AppModel.ts"
import { observe } from "./AppObservation.ts"
import * as Settings from "./AppSettingsChange.ts"
import { type AppEvent, AppIdentity, type AppState, findDeploy } from "./AppState.ts"

type App = EntityBehavior.Incarnation<AppState, AppEvent>

type Decide<Reply, E> = JournaledEntity.Decide<AppState, AppEvent, Reply, E>

type Command = EntityBehavior.Command

/** The deploy that an event ends, if it ends one. */
const endedDeploy = (event: AppEvent): ReadonlyArray<DeployId> => {
  switch (event._tag) {
    case "DeployLive":
    case "DeployFailed":
    case "DeployCancelled":
    case "DeploySuperseded":
      return [event.deployId]
    default:
      return []
  }
}

const deploysOf = (state: AppState, ids: ReadonlyArray<DeployId>) =>
  ids.flatMap((id) => findDeploy(state, id) ?? [])

/** Tells of the deploys that a decision ended, once its events are appended. Whoever dies in between tells nothing. */
const tellingEnds = <Reply, E, E2>(
  { id, journaled }: App,
  decide: Decide<Reply, E>,
  run: (decide: Decide<Reply, E>) => Effect.Effect<Reply, E2>
) =>
  Effect.suspend(() => {
    let ended: ReadonlyArray<DeployId> = []
    const noting: Decide<Reply, E> = (state, nowMs) =>
      Result.map(decide(state, nowMs), (decision) => {
        ended = decision.events.flatMap(endedDeploy)
        return decision
      })
    const told = Effect.suspend(() =>
      ended.length === 0
        ? Effect.void
        : Effect.flatMap(journaled.state, (state) =>
            Effect.forEach(deploysOf(state, ended), (deploy) => tell(AppId.make(id), deploy))
          )
    )
    return Effect.tap(run(noting), () => Effect.ignore(told))
  })

/** Runs one decision under the request id of its message. */
const decide =
  <Payload, Reply, E>(
    reply: Schema.Codec<Reply, unknown>,
    decision: (state: AppState, payload: Payload & Command, nowMs: number) => ReturnType<Decide<Reply, E>>
  ) =>
  (app: App, { payload, tag }: { readonly payload: Payload & Command; readonly tag: string }) => {
    const { requestId, principal } = payload
    return tellingEnds(
      app,
      (state, nowMs) => decision(state, payload, nowMs),
      (decide) => app.journaled.execute({ requestId, principal, payload, reply, decide })
    ).pipe(rejectedOnlyOnNewest(app.journaled), measured("App", tag))
  }

const by = <P extends Command>(payload: P) => ({
  ...payload,
  requestedBy: Principal.describe(payload.principal)
})

const MaybeDeploy = Schema.NullOr(Deploy)

const handlers = EntityBehavior.handlersOf(AppEntity)<App>()({
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
  Observe: (app, { payload: { principal, observed } }) => {
    let changesNothing = false
    return tellingEnds(
      app,
      (state, nowMs) => {
        const decision = observe(state, observed, nowMs)
        changesNothing = decision.events.length === 0
        return Result.succeed(decision)
      },
      (decide) => {
        const observing = app.journaled.observe({ origin: "observed", principal, decide })
        return Effect.flatMap(observing, () =>
          changesNothing ? Effect.andThen(app.journaled.reload, observing) : Effect.void
        )
      }
    ).pipe(measured("App", "Observe"))
  },

  // Reads do not queue behind commands: the state is one immutable value, replaced after each append.
  GetApp: ({ journaled }) => {
    const present = journaled.peek()
    return Rpc.fork(present === undefined ? journaled.state : Effect.succeed(present))
  },

  // Parked waits must not hold up commands; each sees whole states only.
  AwaitDeploy: ({ journaled }, { payload: { deployId, phasesSeen, waitMs } }) =>
    journaled
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
      ),

  ...EntityBehavior.operators
})

/** Needs the journal and a cluster. An app that nobody asks for 5 minutes leaves memory. */
export const layerNoDeps = AppEntity.toLayer(Effect.map(EntityBehavior.open(model), handlers), {
  maxIdleTime: "5 minutes"
})
