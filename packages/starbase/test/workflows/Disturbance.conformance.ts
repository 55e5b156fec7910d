/**
 * What every activity of a deploy's workflow promises (INV-WF-1): whatever happens at any step of its work (its process
 * dies there and another begins the workflow anew, or the store does not answer), the deploy ends as if nothing had.
 */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Schedule, Scope } from "effect"
import { ShardingConfig, TestRunner } from "effect/cluster"
import { WorkflowEngine } from "effect/workflow"
import type { AppId } from "@starform/domain/ids/AppId"
import type { DeployId } from "@starform/domain/ids/Ids"
import type { Deploy, DeployKind, DeployPhase } from "@starform/domain/model/Deploy"
import * as BuildLog from "@starform/starbase/builds/BuildLog"
import * as BuildLogIndexMemory from "@starform/starbase/builds/BuildLogIndexMemory"
import type { BuildService } from "@starform/starbase/builds/BuildService"
import * as Entities from "@starform/starbase/Entities"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import { Journal } from "@starform/starbase/journal/Journal"
import type { StarbaseConfig } from "@starform/starbase/StarbaseConfig"
import * as BlobStoreMemory from "@starform/starbase/storage/BlobStoreMemory"
import * as BuildRelease from "@starform/starbase/workflows/BuildRelease"
import * as DeployRelease from "@starform/starbase/workflows/DeployRelease"
import * as GatedJournal from "../entities/GatedJournal.ts"
import * as ScriptedBuilder from "../harness/ScriptedBuilder.ts"

export interface Scenario {
  readonly name: string
  readonly kind: DeployKind
  readonly script: ScriptedBuilder.Script
  readonly config: Layer.Layer<StarbaseConfig>
  /** Brings a new app to where the deploy is accepted; answers both. */
  readonly accept: Effect.Effect<
    { readonly appId: AppId; readonly deployId: DeployId },
    unknown,
    EntityClients
  >
  /** Where the workflow leads the deploy. */
  readonly leadsTo: DeployPhase
}

type World = EntityClients | Journal | GatedJournal.JournalGate | BuildService | StarbaseConfig

const world = (scenario: Scenario) =>
  Entities.layerNoDeps.pipe(
    Layer.provideMerge(TestRunner.layer),
    Layer.provideMerge(GatedJournal.layer),
    Layer.provideMerge(ScriptedBuilder.layer(scenario.script)),
    Layer.provideMerge(BuildLog.layer()),
    Layer.provideMerge(Layer.merge(BuildLogIndexMemory.layer, BlobStoreMemory.layer)),
    Layer.provideMerge(scenario.config),
    Layer.provideMerge(ShardingConfig.layer())
  )

type Accepted = { readonly appId: AppId; readonly deployId: DeployId }

/** An engine that knows no workflow yet begins this one, and works at it until the scope closes. */
const begin = ({ appId, deployId }: Accepted, kind: DeployKind) => {
  const engine = Layer.mergeAll(DeployRelease.layerNoDeps, BuildRelease.layerNoDeps).pipe(
    Layer.provideMerge(Layer.fresh(WorkflowEngine.layerMemory))
  )
  return Effect.flatMap(Layer.build(Layer.fresh(engine)), (context) =>
    DeployRelease.DeployRelease.execute({ appId, deployId, kind }, { discard: true }).pipe(
      Effect.provideContext(context)
    )
  )
}

const deployOf = ({ appId, deployId }: Accepted) =>
  Effect.gen(function* () {
    const entities = yield* EntityClients
    return yield* entities.app(appId, (app) => app.AwaitDeploy({ deployId, phasesSeen: 0, waitMs: 0 }))
  })

const arrives = (accepted: Accepted, phase: DeployPhase) =>
  deployOf(accepted).pipe(
    Effect.retry({ schedule: Schedule.spaced("10 millis"), times: 100 }),
    Effect.repeat({ until: (deploy) => deploy.phase === phase, schedule: Schedule.spaced("5 millis") }),
    Effect.timeout("10 seconds")
  )

/** What does not differ from app to app: phases, events, and what is desired. */
const outcome = Effect.fnUntraced(function* (accepted: Accepted, deploy: Deploy) {
  const entities = yield* EntityClients
  const journal = yield* Journal
  const state = yield* entities.app(accepted.appId, (app) => app.GetApp())
  const events = yield* journal.read({ type: "App", id: accepted.appId }, 0, 1000)
  return {
    phases: deploy.phases.map(({ phase }) => phase),
    failure: deploy.failure,
    events: events.map(({ event }) => (event as { readonly _tag: string })._tag),
    releases: state.releases.length,
    desired: { ordinal: state.desired?.ordinal, image: state.desired?.image },
    live: state.live?.entry.image
  }
})

const undisturbed = (scenario: Scenario) =>
  Effect.gen(function* () {
    const accepted = yield* scenario.accept
    yield* begin(accepted, scenario.kind)
    const ended = yield* outcome(accepted, yield* arrives(accepted, scenario.leadsTo))
    if (scenario.leadsTo === "failed") assert.strictEqual(ended.desired.image, ended.live)
    return ended
  }).pipe(Effect.scoped)

/** Counts the steps of one app's entity, and does something at one of them. */
const at = (accepted: Accepted, step: number, act: (step: string) => ReturnType<GatedJournal.Gate>) => {
  let count = 0
  const gate: GatedJournal.Gate = (name, { id }) =>
    id === accepted.appId && count++ === step ? act(name) : Effect.void
  return { gate, isReached: () => count > step }
}

const stepsMax = 200

/** @returns how many steps there were to disturb */
const disturbedAtEach = Effect.fnUntraced(function* (
  scenario: Scenario,
  disturb: (accepted: Accepted, step: number) => Effect.Effect<boolean, unknown, World>
) {
  const expected = yield* undisturbed(scenario)
  for (let step = 0; step < stepsMax; step++) {
    const accepted = yield* scenario.accept
    const isReached = yield* disturb(accepted, step)
    const deploy = yield* arrives(accepted, scenario.leadsTo)
    assert.deepStrictEqual(yield* outcome(accepted, deploy), expected, `disturbed at step ${step}`)
    if (!isReached) return step
  }
  return stepsMax
})

export const activitiesConformance = (scenario: Scenario): void => {
  it.layer(world(scenario), { timeout: 30_000, excludeTestServices: true })(`${scenario.name}`, (it) => {
    it.effect("INV-WF-1 ends the same when its process dies at any step and another begins it anew", () =>
      Effect.gen(function* () {
        const control = yield* GatedJournal.JournalGate
        const steps = yield* disturbedAtEach(scenario, (accepted, step) =>
          Effect.gen(function* () {
            const reached = yield* Deferred.make<void>()
            const released = yield* Deferred.make<void>()
            const { gate, isReached } = at(accepted, step, () =>
              Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(released))
            )
            const process = yield* Scope.make()
            yield* begin(accepted, scenario.kind).pipe(
              Scope.provide(process),
              Effect.andThen(Effect.raceFirst(Deferred.await(reached), arrives(accepted, scenario.leadsTo))),
              Effect.andThen(Effect.forkChild(Scope.close(process, Exit.void), { startImmediately: true })),
              // The entity lives elsewhere: it goes on once the process that asked is dying.
              Effect.tap(() => Effect.repeat(Effect.yieldNow, { times: 50 })),
              Effect.tap(() => Deferred.succeed(released, undefined)),
              Effect.flatMap(Fiber.join),
              control.during(gate)
            )
            yield* begin(accepted, scenario.kind)
            yield* arrives(accepted, scenario.leadsTo)
            return isReached()
          }).pipe(Effect.scoped)
        )
        assert.isAbove(steps, 3)
      })
    )

    it.effect("INV-WF-1 ends the same when the store does not answer at any step", () =>
      Effect.gen(function* () {
        const control = yield* GatedJournal.JournalGate
        const steps = yield* disturbedAtEach(scenario, (accepted, step) =>
          Effect.gen(function* () {
            const { gate, isReached } = at(accepted, step, (name) =>
              GatedJournal.lost(name, { type: "App", id: accepted.appId })
            )
            yield* begin(accepted, scenario.kind).pipe(
              Effect.andThen(arrives(accepted, scenario.leadsTo)),
              control.during(gate)
            )
            return isReached()
          }).pipe(Effect.scoped)
        )
        assert.isAbove(steps, 3)
      })
    )

    it.effect("INV-WF-1 ends the same when the whole of it is done twice", () =>
      Effect.gen(function* () {
        const expected = yield* undisturbed(scenario)
        const accepted = yield* scenario.accept
        for (const _ of ["once", "twice"]) {
          yield* begin(accepted, scenario.kind).pipe(
            Effect.andThen(arrives(accepted, scenario.leadsTo)),
            Effect.scoped
          )
        }
        assert.deepStrictEqual(yield* outcome(accepted, yield* deployOf(accepted)), expected)
      })
    )
  })
}
