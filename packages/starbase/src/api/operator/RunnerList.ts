/** The runners as operators see and steer them: who is there, which shards each holds, who is to take none. */
import { InvalidInput, NotFound, type Unavailable } from "@starform/domain/errors/RequestErrors"
import type { RunnerView } from "@starform/domain/protocol/OperatorRpcs"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { honoured } from "../../runners/Drains.ts"
import { ShardRegister } from "../../runners/ShardRegister.ts"
import { KnownRunners } from "../../runners/WatchedRunnerStorage.ts"

export class RunnerList extends Context.Service<
  RunnerList,
  {
    readonly list: Effect.Effect<ReadonlyArray<RunnerView>, Unavailable>
    /**
     * @errors NotFound for a runner that is not registered; InvalidInput when nobody else could take its shards
     */
    readonly drain: (
      address: string,
      drained: boolean
    ) => Effect.Effect<RunnerView, NotFound | InvalidInput | Unavailable>
  }
>()("@starform/starbase/api/operator/RunnerList") {}

/** `group:number` of one runner's shards, by group. */
const byGroup = (shards: ReadonlyArray<string>): RunnerView["shards"] =>
  [...Map.groupBy(shards, (shard) => shard.slice(0, shard.lastIndexOf(":")))].map(([group, of]) => ({
    group,
    numbers: of.map((shard) => Number(shard.slice(shard.lastIndexOf(":") + 1))).sort((a, b) => a - b)
  }))

export const layerNoDeps = Layer.effect(
  RunnerList,
  Effect.gen(function* () {
    const register = yield* ShardRegister
    const known = yield* KnownRunners

    const list = Effect.gen(function* () {
      const [runners, owners, joined, drained] = yield* Effect.all(
        [known.list, register.owners, register.joined, register.drained],
        { concurrency: "unbounded" }
      )
      const held = Map.groupBy(owners, ({ runner }) => runner)
      return runners.map(({ address, groups, weight, healthy }): RunnerView => ({
        address,
        groups,
        weight,
        healthy,
        drained: drained.has(address),
        sinceMs: joined.get(address) ?? null,
        shards: byGroup((held.get(address) ?? []).map(({ shard }) => shard))
      }))
    })

    const find = (address: string) =>
      Effect.flatMap(list, (runners) => {
        const found = runners.find((runner) => runner.address === address)
        return found === undefined
          ? Effect.fail(new NotFound({ kind: "runner", name: address }))
          : Effect.succeed(found)
      })

    return RunnerList.of({
      list,
      drain: Effect.fnUntraced(function* (address, drained) {
        yield* find(address)
        if (drained) {
          const runners = yield* list
          const asked = new Set(runners.filter((runner) => runner.drained).map((runner) => runner.address))
          if (!honoured(runners, new Set([...asked, address])).has(address)) {
            const problem = "no other healthy runner takes shards of all its groups"
            return yield* new InvalidInput({ field: "address", problem })
          }
        }
        yield* register.setDrained(address, drained)
        return yield* find(address)
      })
    })
  })
)
