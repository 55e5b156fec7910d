import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer } from "effect"
import { Entity, ShardingConfig } from "effect/cluster"
import { TestClock } from "effect/testing"
import { Slug, VariableName } from "@starform/domain/ids/Slug"
import type { Deploy } from "@starform/domain/model/Deploy"
import * as AppBehavior from "@starform/starbase/entities/app/AppBehavior"
import { AppEntity, type AppState } from "@starform/starbase/entities/app/AppEntity"
import * as GatedJournal from "../GatedJournal.ts"
import { type Message, mutationConformance } from "../Mutation.conformance.ts"
import * as Specimens from "../Specimens.ts"

const runner = Entity.makeTestClient(AppEntity, AppBehavior.layerNoDeps)

type Client = Effect.Success<ReturnType<Effect.Success<typeof runner>>>

const identity = Specimens.identity(1)
const [first, second, third] = [1, 2, 3].map(Specimens.deployId) as [Deploy["id"], Deploy["id"], Deploy["id"]]
const { request } = Specimens
const sealed = (text: string) => ({ keyId: "k1", sealed: text })

const created = (app: Client) => app.CreateApp({ ...request("create"), identity })

const pushed = (app: Client) => Effect.andThen(created(app), app.AcceptPush(Specimens.push(first)))

const building = (app: Client) =>
  Effect.andThen(pushed(app), app.StartBuild({ ...request("build"), deployId: first }))

const built = (app: Client) =>
  Effect.andThen(building(app), app.RecordRelease({ ...request("release"), ...Specimens.built(first) }))

const deploying = (app: Client) =>
  Effect.andThen(built(app), app.StartRollout({ ...request("rollout"), deployId: first }))

const see = Effect.fnUntraced(function* (app: Client, phase: "available" | "failed") {
  const { desired } = yield* app.GetApp()
  yield* app.Observe({ principal: Specimens.operator, observed: Specimens.observed(desired!, phase) })
})

const live = (app: Client) => Effect.andThen(deploying(app), see(app, "available"))

const liveTwice = Effect.fnUntraced(function* (app: Client) {
  yield* live(app)
  yield* app.AcceptPush(Specimens.push(second, 2))
  yield* app.StartBuild({ ...request("build-2"), deployId: second })
  yield* app.RecordRelease({ ...request("release-2"), ...Specimens.built(second, 2) })
  yield* app.StartRollout({ ...request("rollout-2"), deployId: second })
  yield* see(app, "available")
})

const scheduled = (app: Client) =>
  app.CreateApp({ ...request("create"), identity: { ...identity, serviceType: "cron" } })

const scalesBetween = (id: string, maxReplicas: number) => ({
  ...request(id),
  deployId: second,
  process: Specimens.web,
  autoscaling: { minReplicas: 2, maxReplicas, cpuPercent: 70, memoryPercent: null }
})

const runsAt = (id: string, expression: string) => ({
  ...request(id),
  deployId: second,
  schedule: { expression, timeZone: null, concurrency: "forbid" as const }
})

const messages: ReadonlyArray<Message<Client>> = [
  {
    name: "CreateApp",
    prepare: () => Effect.void,
    send: (app, id) => app.CreateApp({ ...request(id), identity }),
    sendOther: (app, id) =>
      app.CreateApp({ ...request(id), identity: { ...identity, projectSlug: Slug.make("other") } })
  },
  {
    name: "AcceptPush",
    prepare: live,
    send: (app, id) => app.AcceptPush({ ...Specimens.push(second, 2), ...request(id) }),
    sendOther: (app, id) => app.AcceptPush({ ...Specimens.push(third, 2), ...request(id) })
  },
  {
    name: "RollBack",
    prepare: liveTwice,
    send: (app, id) => app.RollBack({ ...request(id), deployId: third, release: null }),
    sendOther: (app, id) => app.RollBack({ ...request(id), deployId: third, release: 1 })
  },
  {
    name: "Restart",
    prepare: live,
    send: (app, id) => app.Restart({ ...request(id), deployId: second }),
    sendOther: (app, id) => app.Restart({ ...request(id), deployId: third })
  },
  {
    name: "SetScale",
    prepare: live,
    send: (app, id) =>
      app.SetScale({ ...request(id), deployId: second, process: Specimens.web, replicas: 3 }),
    sendOther: (app, id) =>
      app.SetScale({ ...request(id), deployId: second, process: Specimens.web, replicas: 4 })
  },
  {
    name: "SetHealthCheck",
    prepare: created,
    send: (app, id) =>
      app.SetHealthCheck({ ...request(id), deployId: second, health: { path: "/up", startupSeconds: 5 } }),
    sendOther: (app, id) =>
      app.SetHealthCheck({ ...request(id), deployId: second, health: { path: null, startupSeconds: 5 } })
  },
  {
    name: "SetAutoscaling",
    prepare: live,
    send: (app, id) => app.SetAutoscaling(scalesBetween(id, 5)),
    sendOther: (app, id) => app.SetAutoscaling(scalesBetween(id, 6))
  },
  {
    name: "SetSchedule",
    prepare: scheduled,
    send: (app, id) => app.SetSchedule(runsAt(id, "@daily")),
    sendOther: (app, id) => app.SetSchedule(runsAt(id, "@hourly"))
  },
  {
    name: "SetVariables",
    prepare: live,
    send: (app, id) =>
      app.SetVariables({
        ...request(id),
        deployId: second,
        set: [{ key: VariableName.make("A"), value: sealed("one"), secret: true }],
        unset: []
      }),
    sendOther: (app, id) =>
      app.SetVariables({
        ...request(id),
        deployId: second,
        set: [{ key: VariableName.make("A"), value: sealed("two"), secret: true }],
        unset: []
      })
  },
  {
    name: "CancelDeploy",
    prepare: deploying,
    send: (app, id) => app.CancelDeploy({ ...request(id), deployId: first }),
    sendOther: (app, id) => app.CancelDeploy({ ...request(id), deployId: second })
  },
  {
    name: "StartBuild",
    prepare: pushed,
    send: (app, id) => app.StartBuild({ ...request(id), deployId: first }),
    sendOther: (app, id) => app.StartBuild({ ...request(id), deployId: second })
  },
  {
    name: "RecordRelease",
    prepare: building,
    send: (app, id) => app.RecordRelease({ ...request(id), ...Specimens.built(first), healthPath: "/up" }),
    sendOther: (app, id) => app.RecordRelease({ ...request(id), ...Specimens.built(first, 9) })
  },
  {
    name: "StartRollout",
    prepare: built,
    send: (app, id) => app.StartRollout({ ...request(id), deployId: first }),
    sendOther: (app, id) => app.StartRollout({ ...request(id), deployId: second })
  },
  {
    name: "FailDeploy",
    prepare: deploying,
    send: (app, id) => app.FailDeploy({ ...request(id), deployId: first, failure: Specimens.failure }),
    sendOther: (app, id) => app.FailDeploy({ ...request(id), deployId: second, failure: Specimens.failure })
  },
  {
    name: "SettleBranch",
    prepare: live,
    send: (app, id) => app.SettleBranch({ ...request(id), deployId: first }),
    sendOther: (app, id) => app.SettleBranch({ ...request(id), deployId: second })
  }
]

mutationConformance({ type: "App", runner, state: (app) => app.GetApp() }, identity.appId, messages)

const services = Layer.merge(GatedJournal.layer, ShardingConfig.layer())

const open = Effect.flatMap(runner, (client) => client(identity.appId))

describe("Observe", () => {
  it.effect("changes nothing when delivered twice, also to another incarnation", () =>
    Effect.gen(function* () {
      const app = yield* open
      yield* deploying(app)
      yield* see(app, "available")
      const once: AppState = yield* app.GetApp()
      assert.strictEqual(once.live?.entry.deployId, first)
      yield* TestClock.adjust("1 minute")
      yield* see(app, "available")
      const other = yield* open
      yield* see(other, "available")
      assert.deepStrictEqual(yield* app.GetApp(), once)
      assert.deepStrictEqual(yield* other.GetApp(), once)
    }).pipe(Effect.scoped, Effect.provide(services))
  )
})

describe("GetApp", () => {
  it.effect("answers while a command waits for the journal", () =>
    Effect.gen(function* () {
      const gate = yield* GatedJournal.JournalGate
      const app = yield* open
      yield* pushed(app)
      const reached = yield* Deferred.make<void>()
      const released = yield* Deferred.make<void>()
      const stop = (step: string) =>
        step === "before append"
          ? Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(released))
          : Effect.void
      yield* Effect.gen(function* () {
        const command = yield* Effect.forkChild(app.StartBuild({ ...request("build"), deployId: first }))
        yield* Deferred.await(reached)
        const state = yield* app.GetApp()
        yield* Deferred.succeed(released, undefined)
        assert.strictEqual(state.deploys[0]?.phase, "pending")
        assert.strictEqual((yield* Fiber.join(command)).phase, "building")
      }).pipe(gate.during(stop))
    }).pipe(Effect.scoped, Effect.provide(services))
  )
})

describe("AwaitDeploy", () => {
  const wait = (app: Client, phasesSeen: number) =>
    app.AwaitDeploy({ deployId: first, phasesSeen, waitMs: 30_000 })

  it.effect("answers at once when there is a phase that the caller has not seen", () =>
    Effect.gen(function* () {
      const app = yield* open
      yield* building(app)
      assert.strictEqual((yield* wait(app, 1)).phase, "building")
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("answers with the next phase, without holding up the command that enters it", () =>
    Effect.gen(function* () {
      const app = yield* open
      yield* pushed(app)
      const parked = yield* Effect.forkChild(wait(app, 1), { startImmediately: true })
      yield* app.StartBuild({ ...request("build"), deployId: first })
      assert.strictEqual((yield* Fiber.join(parked)).phase, "building")
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("answers unchanged after its wait", () =>
    Effect.gen(function* () {
      const app = yield* open
      yield* pushed(app)
      const parked = yield* Effect.forkChild(wait(app, 1), { startImmediately: true })
      yield* TestClock.adjust(Duration.seconds(30))
      assert.strictEqual((yield* Fiber.join(parked)).phase, "pending")
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("answers at once for a deploy that has ended, and refuses one that never was", () =>
    Effect.gen(function* () {
      const app = yield* open
      yield* live(app)
      assert.strictEqual((yield* wait(app, 99)).phase, "deployed")
      const error = yield* Effect.flip(app.AwaitDeploy({ deployId: third, phasesSeen: 0, waitMs: 0 }))
      assert.strictEqual(error._tag, "NotFound")
    }).pipe(Effect.scoped, Effect.provide(services))
  )
})

describe("App", () => {
  it.effect("is the same when it is stopped between any two messages", () =>
    Effect.gen(function* () {
      const whole = yield* open
      yield* liveTwice(whole)
      const expected = yield* whole.GetApp()
      const stopped = yield* Effect.gen(function* () {
        const context = yield* Effect.context<Effect.Services<typeof open>>()
        // Each call goes to an incarnation that was started for it.
        const fresh = new Proxy({} as Client, {
          get: (_, rpc: keyof Client) => (payload: unknown) =>
            Effect.flatMap(open, (app) =>
              (app[rpc] as unknown as (payload: unknown) => Effect.Effect<unknown, unknown>)(payload)
            ).pipe(Effect.provideContext(context))
        })
        yield* liveTwice(fresh)
        return yield* fresh.GetApp()
      }).pipe(Effect.provide(GatedJournal.layer))
      assert.deepStrictEqual(stopped, expected)
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect(
    "INV-JRN-1 stops an incarnation that another one overtook; the repeat goes on from the new state",
    () =>
      Effect.gen(function* () {
        const [old, young] = [yield* open, yield* open]
        yield* pushed(old)
        yield* young.StartBuild({ ...request("build"), deployId: first })
        const cancel = old.CancelDeploy({ ...request("cancel"), deployId: first })
        assert.strictEqual((yield* Effect.flip(cancel))._tag, "Unavailable")
        assert.strictEqual((yield* old.GetApp()).deploys[0]?.phase, "building")
        const deploy = yield* cancel
        assert.deepStrictEqual(
          deploy.phases.map(({ phase }) => phase),
          ["pending", "building", "cancelled"]
        )
      }).pipe(Effect.scoped, Effect.provide(services))
  )
})
