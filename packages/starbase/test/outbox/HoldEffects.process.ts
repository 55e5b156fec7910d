/**
 * A Starbase that stops short at one effect of each kind: right before it is performed, or right after, before the
 * row is removed. Prints each kind when it is there, and waits to be killed.
 *
 * Arguments: the database's URL, and `before` or `after`.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Redacted } from "effect"
import * as RelayWorld from "../harness/RelayWorld.ts"
import * as EffectScenario from "./EffectScenario.ts"

const [, , databaseUrl = "", moment = "before"] = process.argv

const isHeld = (kind: EffectScenario.Kind, requestId: string) => {
  const { type, id } = EffectScenario.sourceOf(kind)
  return requestId.startsWith(`outbox:${type}:${id}:`)
}

const world = RelayWorld.layer(Redacted.make(databaseUrl), EffectScenario.script, (performer) => ({
  perform: (effect, requestId) => {
    const perform = performer.perform(effect, requestId)
    if (!isHeld(effect._tag, requestId)) return perform
    const hold = Effect.andThen(Console.log(`held ${effect._tag}`), Effect.never)
    return moment === "before" ? hold : Effect.andThen(perform, hold)
  }
}))

EffectScenario.play.pipe(Effect.andThen(Effect.never), Effect.provide(world), NodeRuntime.runMain)
