/**
 * Plants one violation per gate in a small workspace with this repository's own configuration, and requires each to be
 * caught: a gate that has gone blind (a glob that matches nothing, an unpatched compiler) fails here.
 * Leaves nothing behind, also when it is interrupted.
 */
import { execFileSync, spawn } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs"
import { symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { format, lint, type Plant, repository, sound, types, unused } from "./gates/GatePlants.ts"
import { breachesIn } from "./repository.ts"

const root = join(import.meta.dirname, "..")
const binaries = join(root, "node_modules", ".bin")
const packages = [
  "packages/domain",
  "packages/starbase",
  "packages/shuttle",
  "packages/cli",
  "infra/launchpad"
]

let workspace = ""
let running: ReturnType<typeof spawn> | undefined

const cleanUp = () => {
  running?.kill("SIGKILL")
  if (workspace !== "") rmSync(workspace, { recursive: true, force: true })
}

const write = (plants: ReadonlyArray<Plant>) => {
  for (const { file, text } of plants) {
    if (text === "\n") continue
    mkdirSync(dirname(join(workspace, file)), { recursive: true })
    writeFileSync(join(workspace, file), text)
  }
}

const remove = (plants: ReadonlyArray<Plant>) => {
  for (const { file, text } of plants) if (text !== "\n") rmSync(join(workspace, file))
}

/** Output and exit status of one of the repository's tools, run in the workspace. */
const tool = (name: string, ...args: ReadonlyArray<string>) =>
  new Promise<{ readonly status: number | null; readonly output: string }>((resolve, reject) => {
    let output = ""
    const child = spawn(join(binaries, name), args, { cwd: workspace, stdio: ["ignore", "pipe", "pipe"] })
    running = child
    const keep = (chunk: Buffer) => {
      output += chunk.toString()
    }
    child.stdout.on("data", keep)
    child.stderr.on("data", keep)
    child.once("error", reject)
    child.once("close", (status) => resolve({ status, output }))
  })

/** Links the packages that `from` may import into `to`, workspace packages being those of the planted workspace. */
const linkModules = (from: string, to: string) => {
  if (!existsSync(from)) return
  mkdirSync(to, { recursive: true })
  for (const name of readdirSync(from)) {
    if (name.startsWith(".")) continue
    if (name.startsWith("@")) {
      linkModules(join(from, name), join(to, name))
      continue
    }
    const target = realpathSync(join(from, name))
    const own = packages.find((path) => target === realpathSync(join(root, path)))
    symlinkSync(own === undefined ? target : join(workspace, own), join(to, name))
  }
}

const prepare = () => {
  workspace = realpathSync(mkdtempSync(join(tmpdir(), "starform-gates-")))
  const names = readdirSync(root).filter((name) => /^(package|tsconfig.*|knip|\.ox.*)\.json$/.test(name))
  for (const name of [...names, "pnpm-workspace.yaml", ".gitignore"])
    cpSync(join(root, name), join(workspace, name))
  linkModules(join(root, "node_modules"), join(workspace, "node_modules"))
  for (const path of packages) {
    mkdirSync(join(workspace, path), { recursive: true })
    for (const name of ["package.json", "tsconfig.json"])
      cpSync(join(root, path, name), join(workspace, path, name))
    linkModules(join(root, path, "node_modules"), join(workspace, path, "node_modules"))
  }
  write(sound)
}

const failures: Array<string> = []
let caught = 0

const require_ = (promise: string, isCaught: boolean, evidence: string) => {
  if (isCaught) caught++
  else failures.push(`not caught: ${promise}\n${evidence}`)
}

/** Lines of the output that speak about the file. */
const linesAbout = (output: string, file: string) => output.split("\n").filter((line) => line.includes(file))

const requireSound = async () => {
  for (const [name, ...args] of [
    ["tsc", "-b"],
    ["oxlint"],
    ["oxfmt", "--check", "packages", "infra"]
  ] as const) {
    const { status, output } = await tool(name, ...args)
    if (status !== 0) failures.push(`${name} refuses a sound workspace:\n${output}`)
  }
  const breaches = breachesIn(workspace)
  if (breaches.length > 0)
    failures.push(`the repository rules refuse a sound workspace:\n${breaches.join("\n")}`)
}

const requireFindings = async (
  plants: ReadonlyArray<Plant>,
  name: string,
  ...args: ReadonlyArray<string>
) => {
  write(plants)
  const { status, output } = await tool(name, ...args)
  remove(plants)
  for (const { promise, file, finding } of plants) {
    const lines = linesAbout(output, file)
    const isCaught = status !== 0 && lines.some((line) => line.includes(finding))
    require_(
      promise,
      isCaught,
      lines.length === 0 ? `  ${name} says nothing about ${file}` : lines.join("\n")
    )
  }
}

const requireUnused = async () => {
  write(unused)
  const { output } = await tool("knip", "--reporter", "json")
  remove(unused)
  const start = output.indexOf("{")
  const { issues } = JSON.parse(
    start < 0 ? '{"issues":[]}' : output.slice(start, output.lastIndexOf("}") + 1)
  ) as {
    readonly issues: ReadonlyArray<{ readonly file: string }>
  }
  for (const { promise, file, finding } of unused) {
    const about = JSON.stringify(issues.filter((issue) => issue.file === file))
    require_(promise, about.includes(`"${finding}"`), `  ${about} ${output.slice(0, 500)}`)
  }
  const isSilent = !JSON.stringify(issues).includes('"sample"')
  require_("an export that is imported counts as used", isSilent, JSON.stringify(issues))
}

const requireBreaches = () => {
  write(repository)
  const output = breachesIn(workspace).join("\n")
  remove(repository)
  for (const { promise, file, finding } of repository) {
    const lines = linesAbout(output, file)
    require_(
      promise,
      lines.some((line) => line.includes(finding)),
      `  about ${file}: ${lines.join("\n")}`
    )
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    cleanUp()
    process.exit(1)
  })
}

try {
  prepare()
  execFileSync("git", ["init", "--quiet"], { cwd: workspace })
  await requireSound()
  await requireFindings(types, "tsc", "-b", "--pretty", "false")
  await requireFindings(lint, "oxlint", "-f", "unix")
  await requireFindings(format, "oxfmt", "--check", "packages", "infra")
  await requireUnused()
  requireBreaches()
} finally {
  cleanUp()
}

for (const failure of failures) console.error(failure)
if (failures.some((failure) => failure.includes("an Effect that nobody runs"))) {
  console.error(
    "The compiler lacks the Effect diagnostics: run `effect-tsgo patch`, which `prepare` should have done."
  )
}
console.log(`   ${caught} of ${caught + failures.length} planted violations caught`)
process.exitCode = failures.length === 0 ? 0 : 1
