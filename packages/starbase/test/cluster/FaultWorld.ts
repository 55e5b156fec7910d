/**
 * Three runners in processes of their own over one Postgres. `victim` is what faults happen to: its way to Postgres, and
 * its way to and from the other runners, lead over wires. The others are the doors that a load is asked through.
 */
import { randomBytes } from "node:crypto"
import { assert } from "@effect/vitest"
import { Context, Effect, Hash, HashRing, Layer, Redacted, Schedule } from "effect"
import { RunnerAddress } from "effect/cluster"
import { shardsPerGroup } from "@starform/starbase/ClusterRunner"
import { violations } from "../invariants/Invariants.ts"
import { freePort } from "../harness/FreePort.ts"
import { freshDatabase } from "../Postgres.ts"
import * as Caller from "./Caller.ts"
import { undone } from "./Diagnosis.ts"
import * as FaultWire from "./FaultWire.ts"
import * as Gathering from "./Gathering.ts"
import * as Load from "./Load.ts"
import * as RunnerProcess from "./RunnerProcess.ts"
import * as Specimens from "../entities/Specimens.ts"
import * as Tenants from "./Tenants.ts"

interface Faults {
  readonly databaseUrl: Redacted.Redacted<string>
  readonly victim: RunnerProcess.RunnerProcess
  readonly others: readonly [RunnerProcess.RunnerProcess, RunnerProcess.RunnerProcess]
  readonly toPostgres: FaultWire.FaultWire
  /** To the victim's port, and from the victim to each of the others. */
  readonly toVictim: FaultWire.FaultWire
  readonly fromVictim: ReadonlyArray<FaultWire.FaultWire>
}

export class FaultWorld extends Context.Service<FaultWorld, Faults>()("FaultWorld") {}

/** Every entity is owned by somebody, and everybody owns some. */
const settled = ({ victim, others }: Faults) =>
  Effect.suspend(() => {
    const ids = Array.from({ length: 200 }, () => Specimens.uniqueIdentity().appId)
    return Effect.forEach([victim, ...others], (runner) => runner.owned(ids), { concurrency: 3 })
  }).pipe(
    Effect.orDie,
    Effect.repeat({
      until: (owned) =>
        owned.every(({ length }) => length >= 20) &&
        owned.reduce((sum, { length }) => sum + length, 0) === 200,
      schedule: Schedule.spaced("100 millis")
    }),
    Effect.timeoutOrElse({
      duration: "45 seconds",
      orElse: () => Effect.die(new Error("the shards are not shared out among three runners"))
    }),
    Effect.asVoid
  )

/** Whether the victim is the runner that checks on the others, a singleton, or one of those that are checked on. */
export type Victim = "checks" | "is checked"

/** The same ports, the victim's first. */
const victimFirst = (
  ports: readonly [number, number, number],
  wanted: Victim
): readonly [number, number, number] => {
  const ring = HashRing.make<RunnerAddress.RunnerAddress>()
  for (const port of ports) HashRing.add(ring, RunnerAddress.make("127.0.0.1", port), { weight: 1 })
  const shard = Math.abs(Hash.string("effect/cluster/Sharding/RunnerHealth") % shardsPerGroup)
  const checker = HashRing.getShards(ring, shardsPerGroup)?.[shard]?.port
  const isWanted = (port: number) => (port === checker) === (wanted === "checks")
  const [first, second, third] = [...ports].sort((a, b) => Number(isWanted(b)) - Number(isWanted(a)))
  return [first!, second!, third!]
}

const make = Effect.fnUntraced(function* (wanted: Victim) {
  const databaseUrl = yield* freshDatabase
  const [ofVictim, ...ofOthers] = victimFirst([yield* freePort, yield* freePort, yield* freePort], wanted)
  const masterKey = randomBytes(32).toString("base64")
  const url = new URL(Redacted.value(databaseUrl))
  const toPostgres = yield* FaultWire.make(Number(url.port))
  const toVictim = yield* FaultWire.make(ofVictim)
  const fromVictim = [yield* FaultWire.make(ofOthers[0]), yield* FaultWire.make(ofOthers[1])]
  const wired = new URL(url)
  wired.port = String(toPostgres.port)
  const settings = { masterKey, clockAheadMs: 0 }
  const victim = yield* RunnerProcess.make("victim", {
    ...settings,
    databaseUrl: wired.href,
    runnerPort: ofVictim,
    wires: { [ofOthers[0]]: fromVictim[0]!.port, [ofOthers[1]]: fromVictim[1]!.port }
  })
  const other = (name: string, runnerPort: number) =>
    RunnerProcess.make(name, {
      ...settings,
      databaseUrl: url.href,
      runnerPort,
      wires: { [ofVictim]: toVictim.port }
    })
  const others = [yield* other("first", ofOthers[0]), yield* other("second", ofOthers[1])] as const
  yield* Effect.forEach([victim, ...others], (runner) => runner.start(), { concurrency: 3 })
  return FaultWorld.of({ databaseUrl, victim, others, toPostgres, toVictim, fromVictim })
})

export const layer = (victim: Victim) => Layer.effect(FaultWorld, make(victim))

const mendEverything = ({ toPostgres, toVictim, fromVictim }: Faults) =>
  Effect.forEach([toPostgres, toVictim, ...fromVictim], ({ mend }) => mend, { discard: true })

/** Variants of a fault that `npm run test:cluster` makes and `npm test` has no time for. */
export const isFull = process.env["STARFORM_CLUSTER_TESTS"] === "full"

/** What a fault test sees while it makes its fault. */
export interface UnderLoad extends Faults {
  readonly load: Load.Load
  readonly caller: Caller.Caller
  readonly tenants: ReadonlyArray<Tenants.Tenant>
}

/** The first tenant is the victim's; of the second one, half is. */
const twoTenants = (caller: Caller.Caller, { victim, others: [first, second] }: Faults) =>
  Effect.all([
    Tenants.create(caller, { workspace: victim, cluster: victim, configured: victim, pushed: victim }),
    Tenants.create(caller, { workspace: first, cluster: victim, configured: second, pushed: first })
  ])

/**
 * Everything goes on, the fault happens, and everything goes on again: each kind of request of each tenant is acknowledged
 * after it. Once at rest, no invariant is violated.
 */
export const underLoad = (fault: (world: UnderLoad) => Effect.Effect<void, RunnerProcess.Refused>) =>
  Effect.gen(function* () {
    const faults = yield* FaultWorld
    const { victim, others, databaseUrl } = faults
    if (!victim.isRunning()) yield* victim.start()
    yield* settled(faults)
    const caller = Caller.make(others)
    const tenants = yield* twoTenants(caller, faults)
    const load = yield* Load.start(caller, tenants)
    yield* load.progress(2)
    yield* Effect.orDie(fault({ ...faults, load, caller, tenants })).pipe(
      Effect.ensuring(mendEverything(faults))
    )
    yield* load.progress(2)
    yield* load.end
    const evidence = yield* Gathering.gather(databaseUrl, caller, tenants, load)
    assert.deepStrictEqual(violations(evidence), [])
  }).pipe(
    Effect.scoped,
    Effect.onError(() =>
      Effect.gen(function* () {
        const { victim, others, databaseUrl } = yield* FaultWorld
        const lines = [yield* undone(databaseUrl), ...[victim, ...others].map((runner) => runner.output())]
        console.error(lines.join("\n"))
      })
    )
  )
