/** Runs a case of pruning once for each write and moment at which its agent may die. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { lacksControllers } from "../apiserver/RealServer.ts"
import { isReal } from "./ClusterUnderTest.ts"
import type { Moment } from "./FatalLine.ts"
import type { Rows } from "./PruneRows.ts"
import { type Lot, type PruneWorld, pruneWorld } from "./PruneWorld.ts"

type Row = Rows[string]

/** Worlds of one row at a time: an agent waits more than it works. A real server is one cluster, which has one agent. */
const lanes = isReal ? 1 : 4

const nobodyDies: Lot = { life: "scope", death: null }

const atWrite = (at: number, moment: Moment): Lot => ({
  life: "scope",
  death: { isLast: (_, count) => count === at, moment }
})

const told = ({ death, life }: Lot) => `${life} ${death?.moment ?? "never"}`

/** How many writes there were from when the agent was in danger, and how often it died. */
export const run = (world: PruneWorld, row: Row, lot: Lot) =>
  Effect.gen(function* () {
    world.begin(lot)
    yield* row(world)
    return { writes: world.line.writes.length, deaths: world.deaths() }
  }).pipe(Effect.catchCause((cause) => Effect.die(new Error(`${told(lot)}: ${Cause.pretty(cause)}`))))

export const inWorld = <A>(use: (world: PruneWorld) => Effect.Effect<A>) =>
  Effect.flatMap(pruneWorld, use).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

/** Its writes are those of one app six times over: there one moment each is enough, the two by turns. */
const repetitive = "more than max(5, 30 %) tombstones without a marker"

const enumerate = Effect.fnUntraced(function* (name: string, row: Row) {
  const alive = yield* inWorld((world) => run(world, row, nobodyDies))
  const lots = Array.from({ length: alive.writes }, (_, index) => index + 1).flatMap((at) => {
    const both = [atWrite(at, "before"), atWrite(at, "after")]
    return name === repetitive ? both.slice(at % 2, (at % 2) + 1) : both
  })
  const deaths = yield* Effect.forEach(
    Array.from({ length: lanes }, (_, lane) => lots.filter((_, index) => index % lanes === lane)),
    (share) => inWorld((world) => Effect.forEach(share, (lot) => run(world, row, lot))),
    { concurrency: "unbounded" }
  )
  return { writes: alive.writes, runs: deaths.flat() }
})

/** Under load a row may take many times what it takes alone. */
export const timeout = isReal ? 900_000 : 240_000

/** The Secret of a shared group waits there for the last pod to end, and these rows do not. */
const leftOutWithPods = new Set([
  "a tombstone with objects of every wave",
  "the Secret of a shared variable group"
])

/** One test for each row. */
export const testRows = (rows: Rows): void => {
  for (const [name, row] of Object.entries(rows)) {
    it.live.skipIf(isReal && !lacksControllers && leftOutWithPods.has(name))(
      `holds at every write of: ${name} (INV-SHU-1, INV-SHU-2, INV-SHU-3)`,
      () =>
        Effect.gen(function* () {
          const { runs, writes } = yield* enumerate(name, row)
          /** Passes differ a little from run to run: the last writes of the first one are not always reached. */
          assert.isAtLeast(runs.filter(({ deaths }) => deaths > 0).length, writes / 2)
        }),
      timeout
    )
  }
}
