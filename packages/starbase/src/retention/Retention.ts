/** Forgets, once in the cluster and a little at a time, what nobody will ask for again. README beside this file. */
import * as Singleton from "effect/cluster/Singleton"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { StarbaseConfig } from "../StarbaseConfig.ts"
import * as AuditRetention from "./AuditRetention.ts"
import * as MessageRetention from "./MessageRetention.ts"

const interval = Duration.hours(1)

/** Between two batches: whoever works beside it shall not notice. */
const pause = Duration.millis(500)

const messages = Effect.fnUntraced(function* (beforeMs: number) {
  let after: string | null = MessageRetention.beginning
  let forgotten = 0
  while (after !== null) {
    const batch: MessageRetention.Sweep = yield* MessageRetention.sweep(beforeMs, after)
    forgotten += batch.forgotten
    after = batch.next
    if (after !== null) yield* Effect.sleep(pause)
  }
  return forgotten
})

/** One round: everything that is old enough now. Answers how many messages were forgotten. */
export const sweep = Effect.gen(function* () {
  const { messageRetention, auditRetention } = yield* StarbaseConfig
  const nowMs = yield* Clock.currentTimeMillis
  const forgotten = yield* messages(nowMs - Duration.toMillis(messageRetention))
  yield* AuditRetention.sweep(nowMs - Duration.toMillis(auditRetention)).pipe(
    Effect.repeat({ while: (isMore) => isMore, schedule: Schedule.spaced(pause) })
  )
  return forgotten
})

export const layerNoDeps = Singleton.make(
  "Retention",
  sweep.pipe(
    Effect.tap((forgotten) => Effect.logDebug(`retention: ${forgotten} stored messages forgotten`)),
    Effect.catch((error) => Effect.logWarning("retention", error)),
    Effect.repeat(Schedule.spaced(interval)),
    Effect.asVoid
  )
)
