/** What may happen to the process of a runner. */
import { randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { DeployId } from "@starform/domain/ids/Ids"
import * as Specimens from "../entities/Specimens.ts"
import { isFull, layer, underLoad } from "./FaultWorld.ts"
import * as RunnerWorld from "./RunnerWorld.ts"

const timeout = 120_000

/** The victim is started anew with another clock, and afterwards with the right one. */
const underLoadWithClock = (clockAheadMs: number) =>
  underLoad(({ victim, load }) =>
    Effect.gen(function* () {
      const restarted = Effect.fnUntraced(function* (changes: { readonly clockAheadMs?: number }) {
        yield* victim.signal("SIGKILL")
        yield* victim.ended
        yield* victim.start(changes)
        yield* load.progress(2)
      })
      yield* restarted({ clockAheadMs })
      yield* restarted({})
    })
  )

it.layer(layer("is checked"), { timeout, excludeTestServices: true })("A runner", (it) => {
  it.effect(
    "is killed",
    () =>
      underLoad(({ victim }) =>
        Effect.gen(function* () {
          yield* victim.signal("SIGKILL")
          yield* victim.ended
        })
      ),
    timeout
  )
  it.effect(
    "freezes beyond its locks and wakes: at its own door it takes what is new, and never an old state for the newest",
    () =>
      underLoad(({ victim, caller, load, tenants: [tenant] }) =>
        Effect.gen(function* () {
          const app = { type: "App", id: tenant!.configured.appId }
          const command = {
            ...Specimens.request("asked-of-the-zombie"),
            deployId: DeployId.make(randomUUID()),
            health: { path: "/zombie", startupSeconds: 5 }
          }
          yield* victim.signal("SIGSTOP")
          yield* Effect.sleep(Duration.times(RunnerWorld.lockExpiry, 1.2))
          yield* load.progress(2)
          // They wait in the frozen process, and are the first that it reads when it wakes.
          const { agentTokenHash, cluster } = tenant!
          const known = load.revisions[0]!.revisions.at(-1)!
          const pull = { agentTokenHash, known, waitMs: 0, allowDelta: true }
          const [written, pulled] = yield* Effect.all(
            [
              Effect.exit(victim.ask(app, "SetHealthCheck", command)),
              Effect.exit(victim.ask(cluster, "AwaitDesired", pull)),
              victim.signal("SIGCONT")
            ],
            { concurrency: "unbounded" }
          )
          for (const answer of [written, pulled]) {
            if (answer._tag === "Failure") assert.include(String(answer.cause), "Unavailable")
          }
          // INV-ACT-4: whoever holds the newest revision is not told an older one, not even by a zombie.
          if (pulled._tag === "Success") {
            const { revision } = pulled.value as { readonly revision: string }
            assert.isAtLeast(Number(revision.split("-")[1]), Number(known.split("-")[1]))
          }
          // INV-ACT-2: asked again elsewhere, the command has the one effect, whatever the zombie made of it.
          yield* caller.command(app, "SetHealthCheck", command, 1)
        })
      ),
    timeout
  )

  it.effect.runIf(isFull)(
    "stands still for longer than a refresh of its locks may take, again and again: it keeps them",
    () =>
      underLoad(({ victim, toPostgres }) =>
        Effect.gen(function* () {
          // Each refresh is under way for a fifth of its time.
          yield* toPostgres.delay(50)
          yield* Effect.sleep("2 seconds")
          yield* victim
            .signal("SIGSTOP")
            .pipe(
              Effect.andThen(Effect.sleep("1200 millis")),
              Effect.andThen(victim.signal("SIGCONT")),
              Effect.andThen(Effect.sleep("700 millis")),
              Effect.repeat({ times: 12 })
            )
          assert.notInclude(victim.output(), "Shard lock storage is unhealthy")
        })
      ),
    timeout
  )

  it.effect("starts with a clock that is ten minutes slow", () => underLoadWithClock(-600_000), timeout)

  it.effect.runIf(isFull)(
    "starts with a clock that is ten minutes fast",
    () => underLoadWithClock(600_000),
    timeout
  )
})
