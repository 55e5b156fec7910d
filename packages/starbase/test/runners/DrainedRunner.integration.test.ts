/** Two runners on one database; an operator drains one of them. */
import { randomBytes } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Redacted, Schedule } from "effect"
import { ShardRegister } from "@starform/starbase/runners/ShardRegister"
import { KnownRunners } from "@starform/starbase/runners/WatchedRunnerStorage"
import * as RunnerWorld from "../cluster/RunnerWorld.ts"
import * as Specimens from "../entities/Specimens.ts"
import { freePort } from "../harness/FreePort.ts"
import { freshDatabase } from "../Postgres.ts"

/** Waits until it is so; `timeout` is generous, because the machine may be busy. */
const until = (isSo: () => boolean) =>
  Effect.sync(isSo).pipe(
    Effect.repeat({ until: (so) => so, schedule: Schedule.spaced("50 millis") }),
    Effect.timeout("40 seconds"),
    Effect.orDie
  )

it.live(
  "hands its shards over, takes none back, and takes them again when that is undone",
  () =>
    Effect.gen(function* () {
      const databaseUrl = yield* freshDatabase
      const masterKey = Redacted.make(randomBytes(32).toString("base64"))
      const placed = Effect.map(freePort, (runnerPort) => ({ databaseUrl, masterKey, runnerPort }))
      const [here, there] = [yield* placed, yield* placed]
      const first = yield* RunnerWorld.inProcess(here)
      const second = yield* RunnerWorld.inProcess(there)
      const ids = Array.from({ length: 100 }, () => Specimens.uniqueIdentity().appId)
      const owned = (runner: RunnerWorld.Services) => ids.filter((id) => RunnerWorld.owns(runner, id)).length
      const isShared = () => owned(first) > 20 && owned(second) > 20 && owned(first) + owned(second) === 100
      const name = `127.0.0.1:${there.runnerPort}`
      const register = Context.get(first, ShardRegister)
      yield* until(isShared)

      yield* register.setDrained(name, true)
      yield* until(() => owned(first) === 100 && owned(second) === 0)
      const runners = yield* Context.get(first, KnownRunners).list
      assert.deepInclude(
        runners.find(({ address }) => address === name),
        { healthy: true },
        "the health check still finds it alive"
      )
      const heldBy = Effect.map(register.owners, (owners) => new Set(owners.map(({ runner }) => runner)))
      const holders = yield* heldBy.pipe(
        Effect.repeat({ until: (now) => !now.has(name), schedule: Schedule.spaced("50 millis") }),
        Effect.timeout("20 seconds")
      )
      assert.deepStrictEqual([...holders], [`127.0.0.1:${here.runnerPort}`])

      yield* register.setDrained(name, false)
      yield* until(isShared)
      const moves = yield* register.moves(null, 500)
      const kinds = moves.filter(({ runner }) => runner === name).map(({ kind }) => kind)
      for (const kind of ["joined", "acquired", "released"] as const) assert.include(kinds, kind)
      assert.isTrue(moves.every(({ id }, index) => index === 0 || id < moves[index - 1]!.id))
    }).pipe(Effect.scoped),
  120_000
)
