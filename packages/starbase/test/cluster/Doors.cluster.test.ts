/** What several doors make of the same requests, and of runners that are replaced one by one. */
import { randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { DeployId } from "@starform/domain/ids/Ids"
import * as Specimens from "../entities/Specimens.ts"
import * as Caller from "./Caller.ts"
import { layer, underLoad } from "./FaultWorld.ts"
import { appOf } from "./Tenants.ts"

const timeout = 120_000

it.layer(layer("is checked"), { timeout, excludeTestServices: true })("Several doors", (it) => {
  it.effect(
    "take the same requests at once, and again in another order: each has one effect and one answer",
    () =>
      underLoad(({ victim, others, caller, tenants }) =>
        Effect.forEach(
          tenants,
          (tenant) => {
            const app = appOf(tenant.configured)
            const commands = Array.from({ length: 8 }, (_, n) => ({
              ...Specimens.request(`doubled-${n}`),
              deployId: DeployId.make(randomUUID()),
              health: { path: `/doubled/${n}`, startupSeconds: 5 }
            }))
            const doors = [victim, ...others].map((door) => Caller.make([door]))
            const askAll = (order: typeof commands) =>
              Effect.forEach(
                doors,
                (door) =>
                  Effect.forEach(order, (command) => door.command(app, "SetHealthCheck", command), {
                    concurrency: 4
                  }),
                { concurrency: "unbounded" }
              )
            return Effect.gen(function* () {
              yield* askAll(commands)
              yield* askAll(commands.toReversed())
              const answers = doors.flatMap(({ acknowledged }) => acknowledged)
              assert.strictEqual(answers.length, commands.length * doors.length * 2)
              // With those of the load they are judged at its end: INV-ACT-1 and INV-ACT-2.
              yield* Effect.forEach(commands, (command) => caller.command(app, "SetHealthCheck", command, 1))
              answers.forEach(({ reply }) => assert.isNull(reply))
            })
          },
          { concurrency: "unbounded", discard: true }
        )
      ),
    timeout
  )
})
