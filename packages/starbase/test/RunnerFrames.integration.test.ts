/**
 * What comes over a connection that proved the key and is wrong all the same: bytes that are no frame, and the requests of
 * a runner whose code is newer. Whatever it is, its sender alone notices: the runner and its entities answer on.
 */
import { randomBytes } from "node:crypto"
import { connect } from "node:tls"
import { assert, it } from "@effect/vitest"
import {
  Cause,
  Context,
  type Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Redacted,
  Schedule,
  Schema,
  type Scope,
  Stream
} from "effect"
import { ClusterSchema, Entity } from "effect/cluster"
import { Sharding } from "effect/cluster/Sharding"
import { Rpc } from "effect/rpc"
import { HealthCheck } from "@starform/domain/model/AppSettings"
import { Deploy } from "@starform/domain/model/Deploy"
import { AppEntity, type AppIdentity } from "@starform/starbase/entities/app/AppEntity"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import { mutation } from "@starform/starbase/entities/EntityMessage"
import * as RunnerTransport from "@starform/starbase/RunnerTransport"
import * as RunnerWorld from "./cluster/RunnerWorld.ts"
import * as Specimens from "./entities/Specimens.ts"
import { freePort } from "./harness/FreePort.ts"
import { freshDatabase } from "./Postgres.ts"

const masterKey = Redacted.make(randomBytes(32).toString("base64"))

interface Runners {
  /** The door that asks. */
  readonly door: RunnerWorld.Services
  readonly owner: RunnerWorld.Services
  readonly ownerPort: number
  /** An app of the other runner: whatever is asked of it goes over that runner's port. */
  readonly identity: AppIdentity
  readonly lasting: Scope.Scope
}

class World extends Context.Service<World, Runners>()("World") {}

const world = Layer.effect(
  World,
  Effect.gen(function* () {
    const databaseUrl = yield* freshDatabase
    const ownerPort = yield* freePort
    const owner = yield* RunnerWorld.inProcess({ databaseUrl, masterKey, runnerPort: ownerPort })
    const door = yield* RunnerWorld.inProcess({ databaseUrl, masterKey, runnerPort: yield* freePort })
    const candidates = Array.from({ length: 40 }, () => Specimens.uniqueIdentity())
    const ownsSome = (runner: RunnerWorld.Services) =>
      candidates.some(({ appId }) => RunnerWorld.owns(runner, appId))
    // Both have shards: what the owner has now it keeps.
    yield* Effect.sync(() => ownsSome(door) && ownsSome(owner)).pipe(
      Effect.repeat({ until: (hasJoined) => hasJoined, schedule: Schedule.spaced("50 millis") }),
      Effect.timeout("30 seconds")
    )
    const identity = candidates.find(({ appId }) => RunnerWorld.owns(owner, appId))!
    yield* Context.get(door, EntityClients)
      .app(identity.appId, (app) => app.CreateApp({ ...Specimens.request("create"), identity }))
      .pipe(Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 100 }))
    return { door, owner, ownerPort, identity, lasting: yield* Effect.scope }
  })
)

/** The app answers its owner's neighbour, from the memory that it had: nothing of it was lost. */
const answersOn = Effect.gen(function* () {
  const { door, identity } = yield* World
  const state = yield* Context.get(door, EntityClients)
    .app(identity.appId, (app) => app.GetApp())
    .pipe(
      // A connection that is being renewed is no answer yet.
      Effect.retry({
        schedule: Schedule.spaced("100 millis"),
        times: 50,
        while: ({ _tag }) => _tag === "Unavailable"
      })
    )
  assert.deepStrictEqual(state.identity, identity)
})

/** Ends when the runner has cut the connection, or kept silent about what it got. */
const send = (port: number, bytes: Buffer) =>
  Effect.callback<"cut" | "silence">((resume) => {
    const socket = connect({
      host: "127.0.0.1",
      port,
      ciphers: "ECDHE-PSK-CHACHA20-POLY1305",
      minVersion: "TLSv1.2",
      maxVersion: "TLSv1.2",
      pskCallback: () => ({ psk: RunnerTransport.keyOf(masterKey), identity: "starform-runner" }),
      checkServerIdentity: () => undefined
    })
    const patience = setTimeout(() => resume(Effect.succeed("silence")), 1_000)
    socket.on("secureConnect", () => socket.write(bytes))
    socket.on("error", () => undefined)
    socket.on("close", () => resume(Effect.succeed("cut")))
    return Effect.sync(() => {
      clearTimeout(patience)
      socket.destroy()
    })
  })

const ask = <A, E>(request: Effect.Effect<A, E, Sharding | World>, within: Duration.Input = "5 seconds") =>
  Effect.flatMap(World, ({ door }) =>
    request.pipe(
      Effect.provideService(Sharding, Context.get(door, Sharding)),
      Effect.timeout(within),
      Effect.exit
    )
  )

/** As Starbase asks its own entities. */
const asApp = <A, E>(request: Effect.Effect<A, E>) =>
  Effect.flatMap(World, ({ door, identity }) =>
    Context.get(door, EntityClients).app(identity.appId, () => request)
  )

/** Entity types of code that is newer than the owner's. */
const Gadget = Entity.make("Gadget", [
  Rpc.make("Poke", {}),
  Rpc.make("Watch", { success: Schema.String, stream: true })
])

const Latecomer = Entity.make("Latecomer", [
  Rpc.make("Poke", { success: Schema.String }),
  Rpc.make("Remember", {
    payload: { key: Schema.String },
    primaryKey: ({ key }) => key,
    success: Schema.String
  }).annotate(ClusterSchema.Persisted, true)
])

const refusal = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit) ? Cause.pretty(exit.cause) : assert.fail(`answered: ${JSON.stringify(exit.value)}`)

it.layer(world, { timeout: 60_000, excludeTestServices: true })("A runner answers on after", (it) => {
  it.effect("bytes that are no frame", () =>
    Effect.gen(function* () {
      const { ownerPort } = yield* World
      const lengths = [0xff, 0xff, 0xff, 0xff]
      for (const bytes of [
        Buffer.from("GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
        Buffer.from('{"_tag":"Request"}\n'),
        Buffer.alloc(64),
        Buffer.from([...lengths, 1, 2, 3]),
        randomBytes(1_000),
        randomBytes(4 * 1024 * 1024)
      ]) {
        yield* send(ownerPort, bytes)
        yield* answersOn
      }
    })
  )

  it.effect("a request that a newer runner's App has and this one's has not: its asker may come again", () =>
    Effect.gen(function* () {
      const { identity } = yield* World
      const Newer = Entity.make("App", [Rpc.make("DrainApp", { payload: { reason: Schema.String } })])
      const asked = Effect.flatMap(Newer.client, (client) =>
        asApp(client(identity.appId).DrainApp({ reason: "x" }))
      )
      assert.include(refusal(yield* ask(asked)), "Unavailable")
      yield* answersOn
    })
  )

  it.effect("a request with a field that this one does not know: it is left out", () =>
    Effect.gen(function* () {
      const { identity } = yield* World
      const Newer = Entity.make("App", [
        Rpc.make("SetHealthCheck", {
          payload: { ...mutation, deployId: Schema.String, health: HealthCheck, colour: Schema.String },
          success: Schema.NullOr(Deploy)
        })
      ])
      const payload = {
        ...Specimens.request("newer"),
        deployId: Specimens.deployId(1),
        health: { path: "/newer", startupSeconds: 7 },
        colour: "red"
      }
      const exit = yield* ask(
        Effect.flatMap(Newer.client, (client) => client(identity.appId).SetHealthCheck(payload))
      )
      assert.isTrue(Exit.isSuccess(exit))
      yield* answersOn
    })
  )

  it.effect("a payload of the wrong shape", () =>
    Effect.gen(function* () {
      const { identity } = yield* World
      const Other = Entity.make("App", [Rpc.make("SetHealthCheck", { payload: { requestId: Schema.Int } })])
      const asked = Effect.flatMap(Other.client, (client) =>
        asApp(client(identity.appId).SetHealthCheck({ requestId: 1 }))
      )
      assert.include(refusal(yield* ask(asked)), "InternalFault")
      yield* answersOn
    })
  )

  it.effect("a question for an entity type that it does not have: its asker may come again", () =>
    Effect.gen(function* () {
      const { identity } = yield* World
      const asked = Effect.flatMap(Gadget.client, (client) => asApp(client(identity.appId).Poke()))
      assert.include(refusal(yield* ask(asked)), "Unavailable")
      const followed = Effect.flatMap(Gadget.client, (client) =>
        asApp(client(identity.appId).Watch().pipe(Stream.runDrain))
      )
      assert.include(refusal(yield* ask(followed)), "Unavailable")
      yield* answersOn
    })
  )

  it.effect("what is stored for an entity type that it does not have yet waits for it", () =>
    Effect.gen(function* () {
      const { identity, owner, lasting } = yield* World
      const stored = yield* Effect.forkChild(
        ask(
          Effect.flatMap(Latecomer.client, (client) => client(identity.appId).Remember({ key: "1" })),
          "30 seconds"
        )
      )
      // Refused once the runner has given up waiting for the type.
      const asked = Effect.flatMap(Latecomer.client, (client) => asApp(client(identity.appId).Poke()))
      assert.include(refusal(yield* ask(asked)), "Unavailable")
      const handlers = Latecomer.toLayer({
        Poke: () => Effect.succeed("poked"),
        Remember: ({ payload }) => Effect.succeed(payload.key)
      })
      // A runner whose entity type goes away shuts down: this one stays for as long as the world.
      yield* Layer.buildWithScope(handlers, lasting).pipe(Effect.provideContext(owner))
      assert.deepStrictEqual(yield* ask(asked), Exit.succeed("poked"))
      assert.deepStrictEqual(yield* Fiber.join(stored), Exit.succeed("1"))
    })
  )

  it.effect("an id that no App ever had: it is an App without a history", () =>
    Effect.gen(function* () {
      for (const id of ["", "../../etc/passwd", "x".repeat(2_000), "\u0000"]) {
        const exit = yield* ask(Effect.flatMap(AppEntity.client, (client) => client(id).GetApp()))
        if (Exit.isSuccess(exit)) assert.isNull(exit.value.identity)
        yield* answersOn
      }
    })
  )

  it.effect("a payload beyond what a frame may hold", () =>
    Effect.gen(function* () {
      const { identity } = yield* World
      const Other = Entity.make("App", [Rpc.make("AwaitDeploy", { payload: { deployId: Schema.String } })])
      const deployId = "x".repeat(20 * 1024 * 1024)
      const asked = Effect.flatMap(Other.client, (client) =>
        asApp(client(identity.appId).AwaitDeploy({ deployId }))
      )
      assert.include(refusal(yield* ask(asked)), "InternalFault")
      yield* answersOn
    })
  )
})
