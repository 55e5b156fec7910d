/**
 * `pnpm bench push`: pushes of a one-file change to a live app, phase by phase, against the floor of the same run: a
 * plain push to a bare repository, the same install by hand, and the process's start to its first answer.
 */
import { execFileSync, spawn } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { get, request as httpRequest } from "node:http"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { RequestId } from "@starform/domain/ids/Ids"
import type { Deploy } from "@starform/domain/model/Deploy"
import { AppRepository } from "../infra/launchpad/test/e2e/AppRepository.ts"
import * as LaunchedPlatform from "../infra/launchpad/test/e2e/LaunchedPlatform.ts"
import { appOf, asOperator, asWorkspace } from "../infra/launchpad/test/e2e/PlatformApi.ts"
import { startGitFloor } from "./gitFloor.ts"
import { machine, residentMebibytes, revision } from "./machine.ts"
import { type Summary, summary, table } from "./statistics.ts"

const checkout = resolve(import.meta.dirname, "..")
const pushes = 10
const rollbacks = 10
/** How long the platform is left alone before its memory at rest is read. */
const restMs = 15_000

interface App {
  readonly name: string
  readonly source: string
  readonly install: ReadonlyArray<string> | null
  readonly start: ReadonlyArray<string>
  /** A file whose change the first answer does not show; each push writes another content. */
  readonly changed: string
}

const apps: ReadonlyArray<App> = [
  {
    name: "hello",
    source: join(checkout, "samples/hello"),
    install: null,
    start: ["server.js"],
    changed: "notes.txt"
  },
  {
    name: "express",
    source: join(checkout, "infra/launchpad/test/e2e/fixtures/express-app"),
    install: ["ci", "--omit=dev", "--prefer-offline", "--no-audit", "--no-fund"],
    start: ["bin/www"],
    changed: "public/notes.txt"
  }
]

const now = () => performance.now()

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const from = now()
  await work()
  return now() - from
}

const repositoryOf = (app: App): AppRepository => {
  const repository = new AppRepository()
  cpSync(app.source, repository.folder, { recursive: true })
  return repository
}

const pushed = async (repository: AppRepository, remote: string): Promise<number> => {
  const from = now()
  const { status, output } = await repository.run("push", remote, "HEAD:main")
  if (status !== 0) throw new Error(output)
  return now() - from
}

const answers = (port: number): Promise<boolean> =>
  new Promise((answer) => {
    const request = get({ host: "127.0.0.1", port, path: "/" }, (response) => {
      response.resume()
      answer(response.statusCode === 200)
    })
    request.once("error", () => answer(false))
  })

/** From the start of the process to its first answer. */
const startToAnswer = async (folder: string, start: ReadonlyArray<string>): Promise<number> => {
  const port = 19_321
  const from = now()
  const child = spawn(process.execPath, [...start], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", PORT: String(port) },
    stdio: "ignore"
  })
  while (!(await answers(port))) await new Promise((next) => setTimeout(next, 2))
  const elapsed = now() - from
  const ended = new Promise((end) => child.once("close", end))
  child.kill("SIGKILL")
  await ended
  return elapsed
}

/** The same steps by hand, each push followed by what a careful person would run on the same machine. */
const floorOf = async (app: App) => {
  const floor = await startGitFloor()
  const repository = repositoryOf(app)
  const work = mkdtempSync(join(tmpdir(), "starform-floor-work-"))
  const pushMs: Array<number> = []
  const installMs: Array<number> = []
  const startMs: Array<number> = []
  for (let round = 0; round <= pushes; round++) {
    await repository.commit({ [app.changed]: `round ${round}\n` })
    const push = await pushed(repository, floor.remote)
    const folder = join(work, String(round))
    await repository.git("worktree", "add", "--quiet", "--detach", folder)
    const { install } = app
    const installed =
      install === null
        ? 0
        : await timed(async () => execFileSync("npm", [...install], { cwd: folder, stdio: "ignore" }))
    const started = await startToAnswer(folder, app.start)
    if (round === 0) continue
    pushMs.push(push)
    installMs.push(installed)
    startMs.push(started)
  }
  floor.stop()
  repository.remove()
  rmSync(work, { recursive: true, force: true })
  return { pushMs, installMs, startMs }
}

const between = (deploy: Deploy, from: string, to: string): number => {
  const at = (phase: string) => deploy.phases.find((entry) => entry.phase === phase)?.atMs ?? Number.NaN
  return at(to) - at(from)
}

const measurePushes = async (platform: LaunchedPlatform.Platform, app: App) => {
  const repository = repositoryOf(app)
  const remote = LaunchedPlatform.remoteOf(platform, app.name)
  const totals: Array<number> = []
  const phases: Record<string, Array<number>> = { accept: [], build: [], decide: [], rollout: [], tell: [] }
  for (let round = 0; round <= pushes; round++) {
    await repository.commit({ [app.changed]: `round ${round}\n` })
    const startedAtMs = Date.now()
    const total = await pushed(repository, remote)
    if (round === 0) continue
    const { deploy } = await asWorkspace(platform, (client) => client.GetAppStatus({ app: appOf(app.name) }))
    if (deploy === null) throw new Error("no deploy")
    totals.push(total)
    phases["accept"]!.push((deploy.phases[0]?.atMs ?? Number.NaN) - startedAtMs)
    phases["build"]!.push(between(deploy, "pending", "built"))
    phases["decide"]!.push(between(deploy, "built", "deploying"))
    phases["rollout"]!.push(between(deploy, "deploying", "deployed"))
    phases["tell"]!.push(startedAtMs + total - (deploy.phases.at(-1)?.atMs ?? Number.NaN))
  }
  repository.remove()
  return { totals, phases }
}

/** From the entry in the Cluster's journal to the arrival of the answer at an agent that waits: a second one, ours. */
const measurePickup = async (platform: LaunchedPlatform.Platform) => {
  const read = (name: string) => readFileSync(join(platform.stateDirectory, "secrets", name), "utf8").trim()
  const clusterId = read("cluster-id")
  const pull = (known: string | undefined, wait: number): Promise<{ etag: string; atMs: number }> =>
    new Promise((answer, reject) => {
      const request = httpRequest(
        {
          host: "127.0.0.1",
          port: platform.portBase,
          path: `/api/v1/clusters/${clusterId}/desired-state`,
          headers: {
            authorization: `Bearer ${read("agent-token")}`,
            prefer: `wait=${wait}`,
            ...(known === undefined ? {} : { "if-none-match": known })
          }
        },
        (response) => {
          const atMs = performance.timeOrigin + now()
          response.resume()
          response.once("end", () => answer({ etag: response.headers.etag ?? known ?? "", atMs }))
        }
      )
      request.once("error", reject)
      request.end()
    })
  const delays: Array<number> = []
  let known = (await pull(undefined, 0)).etag
  const app = appOf("hello")
  for (let round = 0; round < pushes; round++) {
    const parked = pull(known, 30)
    await new Promise((next) => setTimeout(next, 100))
    const deploy = await asWorkspace(platform, (client) =>
      client.Restart({ app, requestId: RequestId.make(`pickup-${round}`) })
    )
    const { etag, atMs } = await parked
    known = etag
    await settled(platform, deploy.id)
    const entries = await asOperator(platform, (client) =>
      client.ReadJournal({ type: "Cluster", id: clusterId, afterSequence: 0, limit: 500 })
    )
    const entry = entries.find(({ event }) => JSON.stringify(event).includes(deploy.id))
    if (entry === undefined) throw new Error("the cluster's journal does not know the deploy")
    delays.push(atMs - entry.atMs)
    known = (await pull(undefined, 0)).etag
  }
  return delays
}

const settled = async (platform: LaunchedPlatform.Platform, deployId: Deploy["id"]): Promise<Deploy> => {
  let deploy: Deploy | undefined
  while (deploy === undefined || !["deployed", "failed", "cancelled", "superseded"].includes(deploy.phase)) {
    const phasesSeen = deploy?.phases.length ?? 0
    deploy = await asWorkspace(platform, (client) =>
      client.AwaitDeploy({ app: appOf("hello"), deployId, phasesSeen })
    )
  }
  if (deploy.phase !== "deployed") throw new Error(`the deploy ended as ${deploy.phase}`)
  return deploy
}

const measureRollbacks = async (platform: LaunchedPlatform.Platform) => {
  const elapsed: Array<number> = []
  for (let round = 0; round < rollbacks; round++) {
    elapsed.push(
      await timed(async () => {
        const deploy = await asWorkspace(platform, (client) =>
          client.RollBack({
            app: appOf("hello"),
            requestId: RequestId.make(`rollback-${round}`),
            release: (round % 2) + 1
          })
        )
        await settled(platform, deploy.id)
      })
    )
  }
  return elapsed
}

const restingMemory = async (platform: LaunchedPlatform.Platform) => {
  await new Promise((next) => setTimeout(next, restMs))
  const lines = execFileSync("ps", ["-o", "pid=,args=", "--ppid", String(platform.child.pid)], {
    encoding: "utf8"
  })
  const pidOf = (part: string) =>
    Number.parseInt(
      lines
        .split("\n")
        .find((line) => line.includes(part))
        ?.trim() ?? "",
      10
    )
  return {
    starbase: residentMebibytes(pidOf("starbase/main.ts")),
    shuttle: residentMebibytes(pidOf("shuttle/src/main.ts")),
    cluster: residentMebibytes(pidOf("cluster/main.ts"))
  }
}

const row = (name: string, { p50, p95, max }: Summary) => [name, p50, p95, max]

const state = LaunchedPlatform.stateFolder()
console.log("Measuring the floor: plain push, install and start by hand")
const floors: Record<string, Awaited<ReturnType<typeof floorOf>>> = {}
for (const app of apps) floors[app.name] = await floorOf(app)
console.log("Starting the platform")
const platform = await LaunchedPlatform.start({
  stateDirectory: state,
  portBase: await LaunchedPlatform.freePortBase(),
  words: ["--no-sample"]
})
const results: Record<string, unknown> = {}
try {
  for (const app of apps) {
    const { totals, phases } = await measurePushes(platform, app)
    const floor = floors[app.name]!
    const floorTotals = floor.pushMs.map((push, i) => push + floor.installMs[i]! + floor.startMs[i]!)
    const total = summary(totals)
    const floorTotal = summary(floorTotals)
    const rows = [
      ["ms", "p50", "p95", "max"],
      ...Object.entries(phases).map(([name, values]) => row(`  ${name}`, summary(values))),
      row("push, whole", total),
      row("  floor: git push", summary(floor.pushMs)),
      row("  floor: install", summary(floor.installMs)),
      row("  floor: start to first answer", summary(floor.startMs)),
      row("floor, whole", floorTotal)
    ]
    console.log(`\n${app.name}: ${pushes} pushes of one changed file\n${table(rows)}`)
    const overhead = total.p50 - floorTotal.p50
    console.log(
      `overhead over the floor, p50: ${overhead} ms (${(total.p50 / floorTotal.p50).toFixed(2)} × the floor)`
    )
    results[app.name] = {
      phases: Object.fromEntries(Object.entries(phases).map(([name, values]) => [name, summary(values)])),
      total,
      floor: {
        push: summary(floor.pushMs),
        install: summary(floor.installMs),
        start: summary(floor.startMs),
        total: floorTotal
      },
      overheadP50Ms: overhead
    }
  }
  const rollback = summary(await measureRollbacks(platform))
  const pickup = summary(await measurePickup(platform))
  const memory = await restingMemory(platform)
  results["rollbackToLive"] = rollback
  results["pickup"] = pickup
  results["restingMebibytes"] = memory
  console.log(
    `\n${table([["ms", "p50", "p95", "max"], row("rollback to live", rollback), row("desired state picked up", pickup)])}`
  )
  console.log(
    `\nRSS at rest, MiB: Starbase ${memory.starbase}, Shuttle ${memory.shuttle}, local cluster ${memory.cluster}`
  )
} finally {
  await platform.stop()
  LaunchedPlatform.removeState(state)
}
const folder = join(checkout, "bench/results")
mkdirSync(folder, { recursive: true })
const record = {
  measured: new Date().toISOString().slice(0, 10),
  revision: revision(),
  machine: machine(),
  unit: "ms",
  results
}
writeFileSync(join(folder, "push.json"), `${JSON.stringify(record, null, 2)}\n`)
console.log("\nRecorded in bench/results/push.json")
