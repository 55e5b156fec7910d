/** The App entity at work: each message is one pure decision over the journal. No business fact is decided here. */
import { NotFound } from "@starform/domain/errors/RequestErrors"
import { AppId } from "@starform/domain/ids/AppId"
import type { DeployId } from "@starform/domain/ids/Ids"
import { Deploy, isTerminal } from "@starform/domain/model/Deploy"
import * as Principal from "@starform/domain/model/Principal"
import * as Entity from "effect/cluster/Entity"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import { tell } from "../../metrics/DeployEnds.ts"
import { measured } from "../../metrics/StarbaseMetrics.ts"
import * as JournaledEntity from "../../journal/JournaledEntity.ts"
import { rejectedOnlyOnNewest } from "../NewestState.ts"
import * as EntityActivity from "../EntityActivity.ts"
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

const make = Effect.gen(function* () {
  const { entityId } = yield* Entity.CurrentAddress
  const app = yield* JournaledEntity.open(model, entityId)
  const activity = yield* EntityActivity.open(model.type, entityId, app.sequence)

  /** Tells of the deploys that a decision ended, once its events are appended. Whoever dies in between tells nothing. */
  const tellingEnds = <Reply, E, E2>(
    decide: Decide<Reply, E>,
    run: (decide: Decide<Reply, E>) => Effect.Effect<Reply, E2>
  ) =>
    Effect.suspend(() => {
      let events: ReadonlyArray<AppEvent> = []
      const noting: Decide<Reply, E> = (state, nowMs) =>
        Result.map(decide(state, nowMs), (decision) => {
          events = decision.events
          return decision
        })
      const told = Effect.suspend(() => {
        const ended = events.flatMap(endedDeploy)
        return ended.length === 0
          ? Effect.void
          : Effect.flatMap(app.state, (state) =>
              Effect.forEach(deploysOf(state, ended), (deploy) => tell(AppId.make(entityId), deploy))
            )
      })
      return Effect.tap(run(noting), () => Effect.ignore(told))
    })

  /** Runs one decision under the request id of its message. */
  const decide = <Payload, Reply, E>(
    reply: Schema.Codec<Reply, unknown>,
    decision: (state: AppState, payload: Payload & Command, nowMs: number) => ReturnType<Decide<Reply, E>>
  ) =>
    Effect.fnUntraced(function* ({
      payload,
      tag
    }: {
      readonly payload: Payload & Command
      readonly tag: string
    }) {
      const { requestId, principal } = payload
      return yield* tellingEnds(
        (state, nowMs) => decision(state, payload, nowMs),
        (decide) => app.execute({ requestId, principal, payload, reply, decide })
      ).pipe(rejectedOnlyOnNewest(app), measured("App", tag))
    })

  const by = <P extends Command>(payload: P) => ({
    ...payload,
    requestedBy: Principal.describe(payload.principal)
  })

  const MaybeDeploy = Schema.NullOr(Deploy)

  const handlers = AppEntity.of({
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
    Observe: ({ payload: { principal, observed } }) => {
      let changesNothing = false
      return tellingEnds(
        (state, nowMs) => {
          const decision = observe(state, observed, nowMs)
          changesNothing = decision.events.length === 0
          return Result.succeed(decision)
        },
        (decide) => {
          const observing = app.observe({ origin: "observed", principal, decide })
          return Effect.flatMap(observing, () =>
            changesNothing ? Effect.andThen(app.reload, observing) : Effect.void
          )
        }
      ).pipe(measured("App", "Observe"))
    },

    // Reads do not queue behind commands: the state is one immutable value, replaced after each append.
    GetApp: () => {
      const present = app.peek()
      return Rpc.fork(present === undefined ? app.state : Effect.succeed(present))
    },

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
        ),

    // Tells what waits and what works, so it must not wait itself.
    InspectActivity: () => activity.look.pipe(Rpc.fork),

    Passivate: () => Effect.map(app.reload, () => app.sequence() ?? 0)
  })
  return activity.watch(handlers)
})

/** Needs the journal and a cluster. An app that nobody asks for 5 minutes leaves memory. */
export const layerNoDeps = AppEntity.toLayer(make, { maxIdleTime: "5 minutes" })
