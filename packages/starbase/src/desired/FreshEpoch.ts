/** An epoch that no history of a cluster has had: drawn, never derived, because a restored database would derive it again. */
import { randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"

export const freshEpoch: Effect.Effect<string> = Effect.sync(() => randomBytes(4).toString("hex"))
