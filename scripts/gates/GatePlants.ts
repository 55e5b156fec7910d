/** The violations that the self-test plants, one per promise of a gate. The texts are never compiled with the product. */

export interface Plant {
  /** What the gate promises, as a person would say it. */
  readonly promise: string
  readonly file: string
  readonly text: string
  /** Part of the tool's finding for this file. */
  readonly finding: string
}

const plant = (promise: string, file: string, finding: string, ...lines: ReadonlyArray<string>): Plant => ({
  promise,
  file,
  finding,
  text: `${lines.join("\n")}\n`
})

const importEffect = 'import * as Effect from "effect/Effect"'
const importLayer = 'import * as Layer from "effect/Layer"'

/** A workspace that every gate accepts. */
export const sound: ReadonlyArray<Plant> = [
  plant("", "packages/domain/src/ids/Sample.ts", "", "export const sample = 1"),
  plant("", "packages/starbase/src/entities/app/AppEntity.ts", "", "export const appEntity = 1"),
  plant("", "packages/starbase/src/entities/app/AppState.ts", "", "export const appState = 1"),
  plant(
    "",
    "packages/starbase/src/entities/tenant/TenantBehavior.ts",
    "",
    'import { appEntity } from "../app/AppEntity.ts"',
    "export const tenant = appEntity"
  ),
  plant(
    "",
    "packages/starbase/src/main.ts",
    "",
    'import { sample } from "@starform/domain/ids/Sample"',
    importEffect,
    'import * as Layer from "effect/Layer"',
    "Effect.runFork(Layer.launch(Layer.empty).pipe(Effect.as(sample)))"
  ),
  plant("", "packages/shuttle/src/plan/Plan.ts", "", "export const plan = 1"),
  plant("", "packages/cli/src/output/Table.ts", "", "export const table = 1"),
  plant("", "infra/launchpad/src/launcher/Launcher.ts", "", "export const launcher = 1")
]

export const types: ReadonlyArray<Plant> = [
  plant(
    "an Effect that nobody runs",
    "packages/shuttle/src/plan/Floating.ts",
    "floatingEffect",
    importEffect,
    "export const floating = () => {",
    '  Effect.log("never")',
    "}"
  ),
  plant(
    "an Effect inside a test that does not run it",
    "packages/shuttle/test/Floating.test.ts",
    "floatingEffectInVitest",
    'import { assert, it } from "@effect/vitest"',
    'import { Effect } from "effect"',
    'it("passes whatever happens", () => Effect.sync(() => assert.isTrue(false)))'
  ),
  plant(
    "a layer provided in the middle of logic",
    "packages/shuttle/src/plan/ProvidesInside.ts",
    "strictEffectProvide",
    importEffect,
    importLayer,
    "export const inside = Effect.void.pipe(Effect.provide(Layer.empty))"
  ),
  plant(
    "try/catch in Effect code",
    "packages/shuttle/src/plan/Catches.ts",
    "tryCatchInEffectGen",
    importEffect,
    "export const catches = Effect.gen(function* () {",
    "  try {",
    "    return yield* Effect.succeed(1)",
    "  } catch {",
    "    return 2",
    "  }",
    "})"
  ),
  plant(
    "the system clock",
    "packages/shuttle/src/plan/Wallclock.ts",
    "globalDate",
    "export const now = () => new Date()"
  ),
  plant(
    "a package that package.json does not declare",
    "packages/shuttle/src/plan/Undeclared.ts",
    "TS2307",
    'export { appEntity } from "@starform/starbase/entities/app/AppEntity"'
  ),
  plant(
    "a relative path into a package that is declared",
    "packages/shuttle/src/plan/Trespass.ts",
    "TS2878",
    'export { sample } from "../../../domain/src/ids/Sample.ts"'
  ),
  plant(
    "a relative path into a package that is not",
    "packages/shuttle/src/plan/Burglary.ts",
    "TS6059",
    'export { appEntity } from "../../../starbase/src/entities/app/AppEntity.ts"'
  ),
  plant(
    "syntax that Node cannot strip",
    "packages/shuttle/src/plan/Enumerated.ts",
    "TS1294",
    "export enum Enumerated {",
    "  One",
    "}"
  ),
  plant(
    "an index that may be out of range",
    "packages/shuttle/src/plan/Unchecked.ts",
    "TS2322",
    "export const first = (list: ReadonlyArray<string>): string => list[0]"
  )
]

const restricted = "no-restricted-imports"
const property = "no-restricted-properties"

export const lint: ReadonlyArray<Plant> = [
  plant(
    "domain on Node",
    "packages/domain/src/ids/OnNode.ts",
    restricted,
    'export { join } from "node:path"'
  ),
  plant(
    "domain on a database",
    "packages/domain/src/ids/OnSql.ts",
    restricted,
    'export { SqlClient } from "effect/sql/SqlClient"'
  ),
  plant(
    "domain on another package",
    "packages/domain/src/ids/OnStarbase.ts",
    restricted,
    'export { appEntity } from "@starform/starbase/entities/app/AppEntity"'
  ),
  plant(
    "an agent with a database",
    "packages/shuttle/src/plan/OnSql.ts",
    restricted,
    'export { SqlClient } from "effect/sql/SqlClient"'
  ),
  plant(
    "an agent in the cluster",
    "packages/shuttle/src/plan/OnCluster.ts",
    restricted,
    'export { make } from "effect/cluster/Entity"'
  ),
  plant(
    "an agent that imports Starbase",
    "packages/shuttle/src/plan/OnStarbase.ts",
    restricted,
    'export { appEntity } from "@starform/starbase/entities/app/AppEntity"'
  ),
  plant(
    "a command that imports Starbase",
    "packages/cli/src/output/OnStarbase.ts",
    restricted,
    'export { appEntity } from "@starform/starbase/entities/app/AppEntity"'
  ),
  plant(
    "a command with a database",
    "packages/cli/src/output/OnSql.ts",
    restricted,
    'export { make } from "@effect/sql-pg/PgClient"'
  ),
  plant(
    "Starbase that imports the agent",
    "packages/starbase/src/journal/OnShuttle.ts",
    restricted,
    'export { plan } from "@starform/shuttle/plan/Plan"'
  ),
  plant(
    "Launchpad imported by anybody",
    "packages/starbase/src/journal/OnLaunchpad.ts",
    restricted,
    'export { launcher } from "@starform/launchpad/launcher/Launcher"'
  ),
  plant(
    "Launchpad imported by a test",
    "packages/starbase/test/OnLaunchpad.test.ts",
    restricted,
    'export { launcher } from "@starform/launchpad/launcher/Launcher"'
  ),
  plant(
    "one entity that looks into another",
    "packages/starbase/src/entities/tenant/Peeks.ts",
    restricted,
    'export { appState } from "../app/AppState.ts"'
  ),
  plant(
    "an entity's insides used from outside",
    "packages/starbase/src/api/Peeks.ts",
    restricted,
    'export { appState } from "../entities/app/AppState.ts"'
  ),
  plant(
    "what is internal to another folder",
    "packages/starbase/src/api/Reaches.ts",
    restricted,
    'export { hash } from "../journal/internal/hash.ts"'
  ),
  plant(
    "sources imported by path from a test",
    "packages/starbase/test/ByPath.test.ts",
    restricted,
    'export { appEntity } from "../src/entities/app/AppEntity.ts"'
  ),
  plant(
    "Effect from its barrel",
    "packages/starbase/src/journal/Barrel.ts",
    restricted,
    'export { Effect } from "effect"'
  ),
  plant(
    "an effect run outside main.ts",
    "packages/starbase/src/journal/Runs.ts",
    property,
    importEffect,
    "export const run = () => Effect.runPromise(Effect.void)"
  ),
  plant(
    "a layer launched outside main.ts",
    "packages/starbase/src/journal/Launches.ts",
    property,
    importLayer,
    "export const launch = Layer.launch(Layer.empty)"
  ),
  plant(
    "layers wired below the top of a package",
    "packages/starbase/src/journal/Wires.ts",
    property,
    importLayer,
    "export const wired = Layer.provide(Layer.empty, Layer.empty)"
  ),
  plant(
    "Date.now",
    "infra/launchpad/src/launcher/Clocked.ts",
    property,
    "export const now = () => Date.now()"
  ),
  plant(
    "Math.random",
    "infra/launchpad/src/launcher/Random.ts",
    property,
    "export const dice = () => Math.random()"
  ),
  plant(
    "the environment",
    "infra/launchpad/src/launcher/Environment.ts",
    "no-process-env",
    "export const home = () => process.env.HOME"
  ),
  plant(
    "the console",
    "infra/launchpad/src/launcher/Prints.ts",
    "no-console",
    'export const print = () => console.log("")'
  ),
  plant(
    "the global fetch",
    "infra/launchpad/src/launcher/Fetches.ts",
    "no-restricted-globals",
    'export const get = () => fetch("http://127.0.0.1")'
  ),
  plant(
    "a bare timer",
    "infra/launchpad/src/launcher/Timers.ts",
    "no-restricted-globals",
    "export const later = (f: () => void) => setTimeout(f, 1)"
  ),
  plant(
    "a default export",
    "infra/launchpad/src/launcher/Defaulted.ts",
    "no-default-export",
    "export default 1"
  ),
  plant(
    "any",
    "infra/launchpad/src/launcher/Untyped.ts",
    "no-explicit-any",
    "export const cast = (value: any) => value.anything"
  ),
  plant(
    "an import cycle",
    "infra/launchpad/src/launcher/CycleOne.ts",
    "no-cycle",
    'import { two } from "./CycleTwo.ts"',
    "export const one = () => two()"
  ),
  plant(
    "an import cycle, seen from its other end",
    "infra/launchpad/src/launcher/CycleTwo.ts",
    "no-cycle",
    'import { one } from "./CycleOne.ts"',
    "export const two = (): number => one()"
  ),
  plant(
    "a lower-case file name",
    "infra/launchpad/src/launcher/lowerCase.ts",
    "filename-case",
    "export const x = 1"
  ),
  plant(
    "a file of more than 500 lines",
    "infra/launchpad/src/launcher/Long.ts",
    "max-lines",
    ...Array.from({ length: 501 }, (_, line) => `export const line${line} = ${line}`)
  )
]

export const format: ReadonlyArray<Plant> = [
  plant(
    "a file that is not formatted",
    "packages/starbase/src/journal/Shapeless.ts",
    "",
    "export const  x=1;"
  )
]

export const unused: ReadonlyArray<Plant> = [
  plant(
    "an export that nobody imports",
    "packages/starbase/src/journal/Unused.ts",
    "neverImported",
    "export const neverImported = 1"
  ),
  plant("a dependency that nobody imports", "packages/starbase/package.json", "@effect/sql-pg", "")
]

export const repository: ReadonlyArray<Plant> = [
  plant(
    "a lockfile with a host in it",
    "samples/x/package-lock.json",
    "a lockfile names",
    `{ "resolved": "${["https:", "", "registry.example", "x.tgz"].join("/")}" }`
  ),
  plant("a registry setting", "samples/x/.npmrc", "a registry", "registry=//registry.example"),
  plant(
    "a path in somebody's home folder",
    "docs/notes.md",
    "home folder",
    ["Open", `/${"home"}/somebody/starform/README.md`].join(" ")
  ),
  plant(
    "a folder for everything",
    "packages/starbase/src/utils/Things.ts",
    "says nothing",
    "export const a = 1"
  ),
  plant("a barrel", "packages/starbase/src/journal/index.ts", "one concept", "export const a = 1"),
  plant("two files of one name", "packages/shuttle/src/plan/AppState.ts", "is taken by", "export const a = 1")
]
