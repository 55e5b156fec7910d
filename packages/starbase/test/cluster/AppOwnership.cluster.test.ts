/**
 * An App whose owner fails under load: it is killed, or it freezes for longer than its locks last and then wakes as if
 * nothing had been. Whoever asks repeats under the same request id, as every caller of Starbase does.
 */
import { randomBytes, randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Fiber, Redacted, Schedule } from "effect"
import { DeployId } from "@starform/domain/ids/Ids"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import type { AppIdentity } from "@starform/starbase/entities/app/AppEntity"
import { Journal } from "@starform/starbase/journal/Journal"
import * as Specimens from "../entities/Specimens.ts"
import { freePort } from "../harness/FreePort.ts"
import { freshDatabase } from "../Postgres.ts"
import * as RunnerWorld from "./RunnerWorld.ts"

const appsAsked = 12

/** A caller's patience: as long as the answer is that nobody can answer now. */
const patiently = <A, E extends { readonly _tag: string }, R>(ask: Effect.Effect<A, E, R>) =>
  ask.pipe(
    Effect.retry({
      schedule: Schedule.spaced("100 millis"),
      while: ({ _tag }) => _tag === "Unavailable" || _tag === "Overloaded"
    }),
    Effect.timeout("50 seconds"),
    Effect.orDie
  )

/** One runner in this process, one in another, and apps that the other owns. */
const world = Effect.gen(function* () {
  const databaseUrl = yield* freshDatabase
  const masterKey = Redacted.make(randomBytes(32).toString("base64"))
  const place = Effect.map(freePort, (runnerPort) => ({ databaseUrl, masterKey, runnerPort }))
  const here = yield* RunnerWorld.inProcess(yield* place)
  const other = yield* RunnerWorld.asProcess(yield* place)
  const candidates = Array.from({ length: 200 }, () => Specimens.uniqueIdentity())
  const theirs = () => candidates.filter(({ appId }) => !RunnerWorld.owns(here, appId))
  const entities = Context.get(here, EntityClients)
  yield* RunnerWorld.until(() => RunnerWorld.owns(here, candidates[0]!.appId) || theirs().length > 0)
  // Half of the shards have gone to the other runner, and it answers for them.
  yield* RunnerWorld.until(() => theirs().length >= 60 && theirs().length <= 140)
  const apps = theirs().slice(0, appsAsked)
  const create = (identity: AppIdentity) =>
    patiently(
      entities.app(identity.appId, (app) => app.CreateApp({ ...Specimens.request("create"), identity }))
    )
  yield* Effect.forEach(apps, create, { concurrency: appsAsked })
  return { here, other, apps, entities }
})

type World = Effect.Success<typeof world>

/** Asks every app again and again until it is told to stop; answers the request ids that were acknowledged. */
const asking = ({ entities, apps }: World) => {
  const acknowledged = new Map<string, Array<string>>(apps.map(({ appId }) => [appId, []]))
  const asks = { areOver: false }
  const oneApp = ({ appId }: AppIdentity) =>
    Effect.gen(function* () {
      for (let n = 1; !asks.areOver; n++) {
        const requestId = `health-${n}`
        yield* patiently(
          entities.app(appId, (app) =>
            app.SetHealthCheck({
              ...Specimens.request(requestId),
              deployId: DeployId.make(randomUUID()),
              health: { path: `/up/${n}`, startupSeconds: 5 }
            })
          )
        )
        acknowledged.get(appId)?.push(requestId)
        yield* Effect.sleep("20 millis")
      }
    })
  const all = Effect.forEach(apps, oneApp, { concurrency: "unbounded", discard: true })
  const least = () => Math.min(...[...acknowledged.values()].map(({ length }) => length))
  return { all, acknowledged, least, end: () => void (asks.areOver = true) }
}

/** INV-JRN-2 and INV-JRN-5: what was acknowledged is there once, in an unbroken journal, and so is nothing else. */
const assertJournals = ({ here, apps }: World, acknowledged: ReadonlyMap<string, ReadonlyArray<string>>) =>
  Effect.forEach(apps, ({ appId }) =>
    Effect.gen(function* () {
      const events = yield* Context.get(here, Journal).read({ type: "App", id: appId }, 0, 100_000)
      assert.deepStrictEqual(
        events.map(({ sequence }) => sequence),
        events.map((_, index) => index + 1)
      )
      assert.deepStrictEqual(
        events.map(({ requestId }) => requestId),
        ["create", ...(acknowledged.get(appId) ?? [])]
      )
    })
  )

const test = (fail: (world: World, asked: () => number) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    const there = yield* world
    const { all, acknowledged, least, end } = asking(there)
    const load = yield* Effect.forkChild(all)
    yield* RunnerWorld.until(() => least() >= 5)
    yield* fail(there, least)
    const after = least()
    yield* RunnerWorld.until(() => least() >= after + 5)
    end()
    yield* Fiber.join(load)
    yield* assertJournals(there, acknowledged)
  }).pipe(Effect.scoped)

it.live(
  "loses and doubles nothing when its owner is killed",
  () =>
    test(({ here, other, apps }) =>
      Effect.gen(function* () {
        other.kill("SIGKILL")
        yield* RunnerWorld.until(() => apps.every(({ appId }) => RunnerWorld.owns(here, appId)))
      })
    ),
  120_000
)

it.live(
  "loses and doubles nothing when its owner freezes beyond its locks, and then wakes",
  () =>
    test(({ here, other, apps }, asked) =>
      Effect.gen(function* () {
        other.kill("SIGSTOP")
        yield* Effect.sleep("6 seconds")
        yield* RunnerWorld.until(() => apps.every(({ appId }) => RunnerWorld.owns(here, appId)))
        const before = asked()
        yield* RunnerWorld.until(() => asked() >= before + 5)
        other.kill("SIGCONT")
        yield* Effect.sleep("1 second")
      })
    ),
  120_000
)

it.live(
  "takes effect once when two runners are asked the same at once",
  () =>
    Effect.gen(function* () {
      const databaseUrl = yield* freshDatabase
      const masterKey = Redacted.make(randomBytes(32).toString("base64"))
      const place = Effect.map(freePort, (runnerPort) => ({ databaseUrl, masterKey, runnerPort }))
      const doors = [yield* RunnerWorld.inProcess(yield* place), yield* RunnerWorld.inProcess(yield* place)]
      const apps = Array.from({ length: 10 }, () => Specimens.uniqueIdentity())
      const askBoth = <A>(ask: (entities: EntityClients["Service"]) => Effect.Effect<A>) =>
        Effect.forEach(doors, (door) => ask(Context.get(door, EntityClients)), { concurrency: 2 })
      for (const identity of apps) {
        const { appId } = identity
        const deployId = DeployId.make(randomUUID())
        yield* askBoth((entities) =>
          patiently(entities.app(appId, (app) => app.CreateApp({ ...Specimens.request("create"), identity })))
        )
        const deploys = yield* askBoth((entities) =>
          patiently(entities.app(appId, (app) => app.AcceptPush(Specimens.push(deployId))))
        )
        assert.deepStrictEqual(deploys[0], deploys[1])
        const events = yield* Context.get(doors[0]!, Journal).read({ type: "App", id: appId }, 0, 10)
        assert.deepStrictEqual(
          events.map(({ requestId }) => requestId),
          ["create", deployId]
        )
      }
    }).pipe(Effect.scoped),
  120_000
)
