/** Starbase whole, in this process: real Postgres, a real runner, real HTTP on a port of its own. */
import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Duration, Effect, Layer, Redacted } from "effect"
import { freshDatabase } from "../Postgres.ts"
import { freePort } from "./FreePort.ts"
import * as ScriptedBuilder from "./ScriptedBuilder.ts"
import * as Starbase from "@starform/starbase/Starbase"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"
import { hash } from "@starform/starbase/security/Token"

export const operatorToken = Redacted.make(`sfo_${"o".repeat(43)}`)

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "starbase-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const settings = Effect.gen(function* () {
  const databaseUrl = yield* freshDatabase
  const port = yield* freePort
  const runnerPort = yield* freePort
  return StarbaseConfig.layerTest({
    databaseUrl,
    databaseConnectionsMax: 8,
    host: "127.0.0.1",
    port,
    runnerPort,
    masterKey: Redacted.make(randomBytes(32).toString("base64")),
    operatorTokenHash: hash(operatorToken),
    dataDirectory: yield* temporaryFolder,
    socketDirectory: yield* temporaryFolder,
    gitSearchPath: "/usr/local/bin:/usr/bin:/bin",
    publicUrl: `http://127.0.0.1:${port}`,
    appScheme: "http",
    appPortSuffix: "",
    appDomain: ".test",
    buildDeadline: Duration.minutes(1),
    rolloutDeadline: Duration.seconds(20)
  })
})

export const layer = (script: ScriptedBuilder.Script) =>
  Starbase.layer(ScriptedBuilder.layer(script)).pipe(Layer.provideMerge(Layer.unwrap(settings)))
