/**
 * All that operators can look at and do, each audited, whatever door they come through. The caller has made sure that
 * the principal is an operator (INV-OPR-1).
 */
import { DeployEnded } from "@starform/domain/errors/DeployErrors"
import {
  type InternalFault,
  type InvalidInput,
  type NotFound,
  Unavailable
} from "@starform/domain/errors/RequestErrors"
import type { AppId } from "@starform/domain/ids/AppId"
import type { DeployId, RequestId } from "@starform/domain/ids/Ids"
import type { Deploy } from "@starform/domain/model/Deploy"
import type { Principal } from "@starform/domain/model/Principal"
import type { EntitySnapshot, EntityType, JournalEntry } from "@starform/domain/protocol/ClusterRpcs"
import type { Explanation } from "@starform/domain/protocol/Explanation"
import type * as Operator from "@starform/domain/protocol/OperatorRpcs"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { EntityClients } from "../../entities/EntityClients.ts"
import * as EntityModels from "../../entities/EntityModels.ts"
import { Journal } from "../../journal/Journal.ts"
import { Outbox } from "../../journal/Outbox.ts"
import { ShardRegister } from "../../runners/ShardRegister.ts"
import { DeployRuns } from "../../workflows/DeployRuns.ts"
import { EntityWindow } from "./EntityWindow.ts"
import { OperatorAudit } from "./OperatorAudit.ts"
import { RunnerList } from "./RunnerList.ts"
import { RunningDeploys } from "./RunningDeploys.ts"
import { explain } from "./why/AppExplanation.ts"
import { GatherFacts } from "./why/GatherFacts.ts"

type LookError = NotFound | InvalidInput | Unavailable | InternalFault

type Look<A> = Effect.Effect<A, LookError>

/** What a problem says of stored or thrown things stays in the log: it may quote them. */
const problemShown = (problem: string | null): string | null =>
  problem === null ? null : problem.replace(/^(unreadable effect|defect): .*$/s, "$1; see the log")

export class OperatorDesk extends Context.Service<
  OperatorDesk,
  {
    readonly state: (
      by: Principal,
      type: EntityType,
      id: string,
      moment: EntityModels.Moment
    ) => Look<EntitySnapshot>
    readonly journal: (
      by: Principal,
      type: EntityType,
      id: string,
      after: number,
      limit: number
    ) => Look<ReadonlyArray<JournalEntry>>
    readonly activity: (by: Principal, type: EntityType, id: string) => Look<Operator.EntityActivity>
    readonly runners: (by: Principal) => Look<ReadonlyArray<Operator.RunnerView>>
    readonly moves: (
      by: Principal,
      before: number | null,
      limit: number
    ) => Look<ReadonlyArray<Operator.ShardMove>>
    readonly deploys: (by: Principal) => Look<ReadonlyArray<Operator.RunningDeploy>>
    readonly outbox: (by: Principal, limit: number) => Look<ReadonlyArray<Operator.OutboxBacklog>>
    readonly why: (by: Principal, appId: AppId) => Look<Explanation>
    readonly passivate: (by: Principal, type: EntityType, id: string) => Look<{ readonly sequence: number }>
    readonly drain: (by: Principal, address: string, drained: boolean) => Look<Operator.RunnerView>
    readonly retry: (by: Principal, deployId: DeployId) => Effect.Effect<Deploy, LookError | DeployEnded>
    readonly cancel: (
      by: Principal,
      deployId: DeployId,
      requestId: RequestId
    ) => Effect.Effect<Deploy, Effect.Error<ReturnType<Cancel>> | LookError | DeployEnded>
    readonly audit: (
      by: Principal,
      before: number | null,
      limit: number
    ) => Look<ReadonlyArray<Operator.AuditEntry>>
  }
>()("@starform/starbase/api/operator/OperatorDesk") {}

/** As the App answers it. */
const cancelAt =
  (entities: EntityClients["Service"]) =>
  (appId: AppId, requestId: RequestId, principal: Principal, deployId: DeployId) =>
    entities
      .app(appId, (app) => app.CancelDeploy({ requestId, principal, deployId }))
      .pipe(
        Effect.catchTags({
          NoEarlierRelease: Effect.die,
          NothingLive: Effect.die
        })
      )

type Cancel = ReturnType<typeof cancelAt>

export const layerNoDeps = Layer.effect(
  OperatorDesk,
  Effect.gen(function* () {
    const audit = yield* OperatorAudit
    const entities = yield* EntityClients
    const window = yield* EntityWindow
    const runners = yield* RunnerList
    const register = yield* ShardRegister
    const running = yield* RunningDeploys
    const runs = yield* DeployRuns
    const outbox = yield* Outbox
    const facts = yield* GatherFacts
    const journal = yield* Journal
    const cancel = cancelAt(entities)

    const reading = <A, E>(effect: Effect.Effect<A, E, Journal>) =>
      Effect.provideService(effect, Journal, journal)

    /** The app of a deploy that still runs. */
    const runningApp = Effect.fnUntraced(function* (deployId: DeployId) {
      const { appId, deploy } = yield* running.find(deployId)
      if (appId === null) return yield* new DeployEnded({ deployId, phase: deploy.phase })
      return { appId, deploy }
    })

    return OperatorDesk.of({
      state: (by, type, id, moment) =>
        audit.record(by, "inspect", `${type} ${id}`, reading(EntityModels.inspect(type, id, moment))),
      journal: (by, type, id, after, limit) =>
        audit.record(
          by,
          "journal",
          `${type} ${id}`,
          reading(EntityModels.readJournal(type, id, after, limit))
        ),
      activity: (by, type, id) => audit.record(by, "activity", `${type} ${id}`, window.activity(type, id)),
      runners: (by) => audit.record(by, "runners", "", runners.list),
      moves: (by, before, limit) => audit.record(by, "moves", "", register.moves(before, limit)),
      deploys: (by) => audit.record(by, "deploys", "", running.list),
      outbox: (by, limit) =>
        audit.record(
          by,
          "outbox",
          "",
          outbox.backlog(limit).pipe(
            Effect.map((rows) =>
              rows.map(({ key, rows: count, effect, atMs, attempts, dueMs, problem }) => ({
                ...key,
                rows: count,
                effect,
                atMs,
                attempts,
                dueMs,
                problem: problemShown(problem)
              }))
            ),
            Effect.mapError(() => new Unavailable({ what: "the outbox" }))
          )
        ),
      why: (by, appId) =>
        audit.record(
          by,
          "why",
          appId,
          Effect.map(facts.gather(appId), (gathered) => explain(gathered, "operator"))
        ),
      passivate: (by, type, id) =>
        audit.record(
          by,
          "passivate",
          `${type} ${id}`,
          Effect.map(window.passivate(type, id), (sequence) => ({ sequence }))
        ),
      drain: (by, address, drained) =>
        audit.record(by, drained ? "drain" : "undrain", address, runners.drain(address, drained)),
      retry: (by, deployId) =>
        audit.record(
          by,
          "retry",
          deployId,
          Effect.gen(function* () {
            const { appId, deploy } = yield* runningApp(deployId)
            yield* outbox
              .hasten({ type: "App", id: appId })
              .pipe(Effect.mapError(() => new Unavailable({ what: "the outbox" })))
            yield* runs
              .resume(deployId)
              .pipe(
                Effect.catchDefect(() => Effect.fail(new Unavailable({ what: `workflow of ${deployId}` })))
              )
            return deploy
          })
        ),
      cancel: (by, deployId, requestId) =>
        audit.record(
          by,
          "cancel",
          deployId,
          Effect.flatMap(runningApp(deployId), ({ appId }) => cancel(appId, requestId, by, deployId))
        ),
      audit: (by, before, limit) => audit.record(by, "audit", "", audit.page(before, limit))
    })
  })
)
