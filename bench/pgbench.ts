/** Single-row INSERTs by `pgbench`, as many clients, into a table of the journal's shape on the same server. */
import { execFile, execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"

/** A row that the platform wrote. */
export interface Row {
  readonly event: string
  readonly actor: string
  readonly requestId: string
}

/** How a statement gets to the server: parsed and planned for each row, which is pgbench's default, or once. */
export type Mode = "simple" | "prepared"

/** The program of the machine's packages; undefined where there is none. */
export const findPgbench = (): string | undefined => {
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/bin"]
  return folders.map((folder) => join(folder, "pgbench")).find((file) => existsSync(file))
}

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`

const scriptOf = ({ event, actor, requestId }: Row, entities: number) => `
\\set n random(1, ${entities})
INSERT INTO twin (entity_type, entity_id, sequence, event, actor, request_id, at_ms)
VALUES ('App', '0198c0de-0000-7000-8004-000000000001/production/' || :n, nextval('twin_sequence'), ${literal(event)},
  ${literal(actor)}, ${literal(requestId)}, 1700000000123);
`

export const versionOf = (program: string): string =>
  execFileSync(program, ["--version"], { encoding: "utf8" }).trim()

/** Rows per second. */
export const insertRate = async (
  program: string,
  url: string,
  row: Row,
  load: { readonly clients: number; readonly entities: number; readonly seconds: number; readonly mode: Mode }
): Promise<number> => {
  const folder = mkdtempSync(join(tmpdir(), "starform-pgbench-"))
  try {
    const script = join(folder, "insert.sql")
    writeFileSync(script, scriptOf(row, load.entities))
    const threads = Math.min(load.clients, availableParallelism())
    const output = await new Promise<string>((answer, reject) =>
      execFile(
        program,
        ["-n", "-M", load.mode, "-c", `${load.clients}`, "-j", `${threads}`, "-T", `${load.seconds}`].concat([
          "-f",
          script,
          url
        ]),
        (problem, out, problems) => (problem === null ? answer(out) : reject(new Error(problems)))
      )
    )
    const rate = /tps = ([\d.]+)/.exec(output)?.[1]
    if (rate === undefined) throw new Error(output)
    return Number(rate)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
