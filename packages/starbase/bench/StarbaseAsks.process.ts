/** Reads of App entities in one runner. Argument: the database's URL. */
import { Effect, ManagedRuntime } from "effect"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import { serve } from "../../../bench/program.ts"
import * as RunnerWorld from "../test/cluster/RunnerWorld.ts"
import * as Specimens from "../test/entities/Specimens.ts"
import { runRound, type Round } from "./askLoops.ts"
import { placeOf } from "./place.ts"

const place = await Effect.runPromise(placeOf(process.argv[2] ?? ""))
const runtime = ManagedRuntime.make(RunnerWorld.layer(place))

const setUp = ({ entities }: Round) =>
  Effect.gen(function* () {
    const clients = yield* EntityClients
    yield* Effect.forEach(
      Array.from({ length: entities }, (_, n) => Specimens.identity(n)),
      (identity) =>
        clients.app(identity.appId, (app) => app.CreateApp({ ...Specimens.request("create"), identity })),
      { concurrency: 16, discard: true }
    )
  })

const clients = await runtime.runPromise(EntityClients)

const round = (asked: Round) =>
  Effect.gen(function* () {
    const ids = Array.from({ length: asked.entities }, (_, n) => Specimens.appId(n))
    return yield* runRound(asked, (n) => clients.app(ids[n]!, (app) => app.GetApp()))
  })

serve(
  {
    setUp: (asked: Round) => runtime.runPromise(setUp(asked)),
    round: (asked: Round) => Effect.runPromise(round(asked))
  },
  () => runtime.dispose()
)
