/** Three runners are replaced one by one, under load from a door that stays: told to end, and started anew once they have. */
import { randomBytes } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { freePort } from "../harness/FreePort.ts"
import { violations } from "../invariants/Invariants.ts"
import { freshDatabase } from "../Postgres.ts"
import * as Caller from "./Caller.ts"
import * as Gathering from "./Gathering.ts"
import * as Load from "./Load.ts"
import * as RunnerProcess from "./RunnerProcess.ts"
import * as Tenants from "./Tenants.ts"

it.live("A rolling upgrade fails no request beyond what is repeated, and loses nothing", () =>
  Effect.gen(function* () {
    const databaseUrl = yield* freshDatabase
    const masterKey = randomBytes(32).toString("base64")
    const runner = Effect.fnUntraced(function* (name: string) {
      const settings = { databaseUrl: Redacted.value(databaseUrl), masterKey, clockAheadMs: 0, wires: {} }
      return yield* RunnerProcess.make(name, { ...settings, runnerPort: yield* freePort })
    })
    const door = yield* runner("door")
    const upgraded = [yield* runner("first"), yield* runner("second"), yield* runner("third")] as const
    yield* Effect.gen(function* () {
      yield* Effect.forEach([door, ...upgraded], (each) => each.start(), { concurrency: 4 })
      const caller = Caller.make([door])
      const [workspace, cluster, configured] = upgraded
      const tenants = [
        yield* Tenants.create(caller, { workspace, cluster, configured, pushed: workspace }),
        yield* Tenants.create(caller, {
          workspace: cluster,
          cluster: configured,
          configured: workspace,
          pushed: cluster
        })
      ]
      const load = yield* Load.start(caller, tenants)
      yield* load.progress(2)
      for (const each of upgraded) {
        yield* each.signal("SIGTERM")
        const ending = yield* Effect.timeout(each.ended, "20 seconds")
        assert.isNull(ending.signal)
        yield* load.progress(2)
        yield* each.start()
        yield* load.progress(2)
      }
      yield* load.end
      assert.deepStrictEqual(violations(yield* Gathering.gather(databaseUrl, caller, tenants, load)), [])
    }).pipe(
      Effect.scoped,
      Effect.onError(() =>
        Effect.sync(() => [door, ...upgraded].forEach((each) => console.error(each.output())))
      )
    )
  }).pipe(Effect.scoped)
)
