/** Where a benchmark's runner is: its database, a port, and a key of its own. */
import { randomBytes } from "node:crypto"
import { Effect, Redacted } from "effect"
import { freePort } from "../test/harness/FreePort.ts"

export const placeOf = (databaseUrl: string, masterKey = randomBytes(32).toString("base64")) =>
  Effect.map(freePort, (runnerPort) => ({
    databaseUrl: Redacted.make(databaseUrl),
    runnerPort,
    masterKey: Redacted.make(masterKey)
  }))
