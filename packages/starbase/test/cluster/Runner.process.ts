/** A runner until it is told to end, or its test is gone. Answers what the test asks through this process's own door. */
import "./Disturbed.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Cause, Effect, Layer, Redacted, Schedule } from "effect"
import { EntityId } from "effect/cluster"
import { Sharding } from "effect/cluster/Sharding"
import * as BuildQueue from "@starform/starbase/builds/BuildQueue"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import * as Specimens from "../entities/Specimens.ts"
import type { Script } from "../harness/ScriptedBuilder.ts"
import { type Asked, hangingRef, type Question, type RunnerSettings, type Said } from "./RunnerMessages.ts"
import * as RunnerWorld from "./RunnerWorld.ts"

const { databaseUrl, runnerPort, masterKey }: RunnerSettings = JSON.parse(process.argv[2]!)

const place = {
  databaseUrl: Redacted.make(databaseUrl),
  runnerPort,
  masterKey: Redacted.make(masterKey)
}

const say = (said: Said) => Effect.sync(() => process.send?.(said))

/** Any entity's client, by the names that the test sends. */
type AnyClient = Readonly<Record<string, (payload: unknown) => Effect.Effect<unknown, { _tag: string }>>>

const door = Effect.gen(function* () {
  const { app, cluster, tenant } = yield* EntityClients
  const sharding = yield* Sharding
  const owns = (id: string) => sharding.hasShardId(sharding.getShardId(EntityId.make(id), "default"))
  const clients: Readonly<Record<string, unknown>> = { App: app, Cluster: cluster, Tenant: tenant }
  const answer = (question: Question): Effect.Effect<unknown, { _tag: string }> => {
    if (question.kind === "owned") return Effect.sync(() => question.ids.filter(owns))
    const ask = clients[question.entity.type] as (
      id: string,
      ask: (client: AnyClient) => Effect.Effect<unknown, { _tag: string }>,
      wait: number
    ) => Effect.Effect<unknown, { _tag: string }>
    return ask(question.entity.id, (client) => client[question.rpc]!(question.payload), question.waitMs)
  }
  const context = yield* Effect.context()
  process.on("message", ({ id, question }: Asked) =>
    Effect.runForkWith(context)(
      answer(question).pipe(
        Effect.matchCauseEffect({
          onSuccess: (value) => say({ kind: "answer", id, value }),
          onFailure: (cause) => {
            const error = Cause.squash(cause)
            const tag =
              typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : "Defect"
            return say({ kind: "refusal", id, tag, message: Cause.pretty(cause) })
          }
        })
      )
    )
  )
  const shards = Array.from({ length: 300 }, () => Specimens.uniqueIdentity().appId)
  yield* Effect.sync(() => shards.some(owns)).pipe(
    Effect.repeat({ until: (isOwner) => isOwner, schedule: Schedule.spaced("50 millis") })
  )
  yield* say({ kind: "ready" })
})

const built = {
  digest: Specimens.digest(1),
  image: Specimens.image(1),
  processes: [{ name: Specimens.web, command: ["node", "server.js"] }],
  healthPath: null,
  durations: { queuedMs: 0, sourceMs: 0, installMs: 0, buildMs: 0, packageMs: 0, totalMs: 0 }
}

/** In turn, as with any builder: a build succeeds after a moment in which it may be lost, or never ends. */
const scriptOf =
  (queue: BuildQueue.BuildQueue["Service"]): Script =>
  ({ buildId, gitRef, workspaceId }) =>
    queue.enter({ buildId, workspaceId }).pipe(
      Effect.orDie,
      Effect.flatMap(({ turn }) => turn),
      Effect.andThen(
        gitRef === hangingRef ? Effect.never : Effect.delay(Effect.succeed(built), "200 millis")
      ),
      Effect.scoped
    )

const runner = Layer.unwrap(
  Effect.map(BuildQueue.BuildQueue, (queue) => RunnerWorld.layerWithDeploys(place, scriptOf(queue)))
).pipe(Layer.provide(BuildQueue.layer()))

process.on("disconnect", () => process.exit(1))

NodeRuntime.runMain(Layer.launch(Layer.effectDiscard(door).pipe(Layer.provide(runner))))
