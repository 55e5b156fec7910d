/** An attempt at an outbox effect as a hop of the deploy that it is about, and in the numbers. */
import type { DeployId } from "@starform/domain/ids/Ids"
import * as DeployHop from "@starform/domain/tracing/DeployHop"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { outboxAttempts } from "../metrics/StarbaseMetrics.ts"
import type { OutboxEffect } from "./OutboxEffect.ts"

const deployOf = (effect: OutboxEffect): DeployId | null => {
  switch (effect._tag) {
    case "StartDeploy":
    case "SettleDeploy":
    case "CancelBuild":
      return effect.deployId
    case "PutDesired":
      return effect.entry.deployId
    case "TellObserved":
      return effect.observed.deployId
    case "RemoveDesired":
      return null
  }
}

/** @param attempts that failed before this one */
export const asHop =
  (effect: OutboxEffect, attempts: number) =>
  <A, E, R>(attempt: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
    const deployId = deployOf(effect)
    const counted = Effect.onExit(attempt, ({ _tag }) =>
      Metric.update(
        outboxAttempts({ effect: effect._tag, outcome: _tag === "Success" ? "performed" : "postponed" }),
        1
      )
    )
    if (deployId === null) return counted
    const attributes = { "outbox.attempts": attempts }
    return DeployHop.within(deployId, `outbox.${effect._tag}`, { attributes })(counted)
  }
