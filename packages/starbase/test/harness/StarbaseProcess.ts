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
import type { BlobStore } from "@starform/starbase/storage/BlobStore"

export const operatorToken = Redacted.make(`sfo_${"o".repeat(43)}`)

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "starbase-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** What a process stands on and leaves behind: a database, folders, ports. Two processes may use it one after the other. */
export const place = Effect.gen(function* () {
  const databaseUrl = yield* freshDatabase
  const port = yield* freePort
  const runnerPort = yield* freePort
  const settings: StarbaseConfig.StarbaseSettings = {
    ...StarbaseConfig.testSettings,
    databaseUrl,
    port,
    runnerPort,
    masterKey: Redacted.make(randomBytes(32).toString("base64")),
    operatorTokenHash: hash(operatorToken),
    dataDirectory: yield* temporaryFolder,
    socketDirectory: yield* temporaryFolder,
    gitSearchPath: "/usr/local/bin:/usr/bin:/bin",
    publicUrl: `http://127.0.0.1:${port}`,
    rolloutDeadline: Duration.seconds(20)
  }
  return settings
})

export type Overrides = Partial<StarbaseConfig.StarbaseSettings>

/** A process on a place that the caller keeps. */
export const layerAt = (settings: StarbaseConfig.StarbaseSettings, script: ScriptedBuilder.Script) =>
  Starbase.layer(ScriptedBuilder.layer(script)).pipe(Layer.provideMerge(StarbaseConfig.layerTest(settings)))

const layerConfig = (overrides: Overrides) =>
  Layer.unwrap(Effect.map(place, (settings) => StarbaseConfig.layerTest({ ...settings, ...overrides })))

export const layer = (script: ScriptedBuilder.Script, overrides: Overrides = {}) =>
  Starbase.layer(ScriptedBuilder.layer(script)).pipe(Layer.provideMerge(layerConfig(overrides)))

/** With a blob store of the test's choice. */
export const layerWithStorage = <E, R>(
  script: ScriptedBuilder.Script,
  storage: Layer.Layer<BlobStore, E, R>,
  overrides: Overrides = {}
) =>
  Starbase.layerWithStorage(ScriptedBuilder.layer(script), storage).pipe(
    Layer.provideMerge(layerConfig(overrides))
  )
