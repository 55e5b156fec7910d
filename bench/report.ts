/** What every benchmark does with its figures: their words from the command line, and their record. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { machine, revision } from "./machine.ts"

const checkout = resolve(import.meta.dirname, "..")

/** A program of a benchmark, by its path in the repository. */
export const programFile = (path: string): string => join(checkout, path)

/** `--name value` for each number in `defaults`, `--flag` for each of `flags`. */
export const words = <Name extends string, Flag extends string = never>(
  defaults: Readonly<Record<Name, number>>,
  flags: ReadonlyArray<Flag> = []
): Readonly<Record<Name, number>> & Readonly<Record<Flag, boolean>> => {
  const numbers = Object.keys(defaults).map((name) => [name, { type: "string" }] as const)
  const switches = flags.map((name) => [name, { type: "boolean" }] as const)
  const { values } = parseArgs({ options: Object.fromEntries([...numbers, ...switches]) })
  const given = new Map<string, unknown>(Object.entries(values))
  return Object.fromEntries([
    ...Object.entries<number>(defaults).map(([name, value]) => [name, Number(given.get(name) ?? value)]),
    ...flags.map((name) => [name, given.get(name) === true])
  ])
}

export const progress = (line: string): void => console.log(line)

/** Writes `bench/results/<name>.json`. */
export const record = (name: string, results: unknown): void => {
  const folder = join(checkout, "bench/results")
  mkdirSync(folder, { recursive: true })
  const content = {
    measured: new Date().toISOString().slice(0, 10),
    revision: revision(),
    machine: machine(),
    results
  }
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(content, null, 2)}\n`)
  console.log(`\nRecorded in bench/results/${name}.json`)
}
