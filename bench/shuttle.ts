/**
 * `npm run bench shuttle`: the agent against an API server. A first apply of many apps beside kubectl and beside bare Node
 * that sends the same patches, each on a server of its own; then one agent with many apps: passes without work, one changed
 * app, memory and CPU at rest, and repair of drift.
 */
import { execFile, spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { besideFailingApps } from "./failingApps.ts"
import { main, type Program, start } from "./program.ts"
import { programFile, progress, record, words } from "./report.ts"
import { change, drift, type Workload } from "./shuttleChanges.ts"
import {
  type Api,
  call,
  folder,
  startAgent,
  startApi,
  startWishes,
  untilRoutes,
  type Wishes
} from "./shuttleWorld.ts"
import { silentLine } from "./silentLine.ts"
import { percentile, table } from "./statistics.ts"
import { watchSlope } from "./watchSlope.ts"

const { apps, appsPerProject, many, changes, drifts, restSeconds, rounds, pairs, watched } = words({
  apps: 200,
  appsPerProject: 4,
  many: 1_000,
  changes: 30,
  drifts: 20,
  restSeconds: 30,
  rounds: 3,
  pairs: 5,
  watched: 1_000_000
})

const median = (values: ReadonlyArray<number>) => percentile(values, 0.5)
const versionOf = (): string | undefined => {
  const asked = spawnSync("kubectl", ["version", "--client", "-o", "json"], { encoding: "utf8" })
  if (asked.status !== 0) return undefined
  return (JSON.parse(asked.stdout) as { readonly clientVersion: { readonly gitVersion: string } })
    .clientVersion.gitVersion
}

const kubectl = (api: Api, file: string, ...flags: ReadonlyArray<string>): Promise<number> =>
  new Promise((resolve, reject) => {
    const from = performance.now()
    const own = ["--kubeconfig", api.kubeconfig, "--cache-dir", join(folder, "kubectl")]
    execFile("kubectl", [...own, "apply", "--server-side", "-f", file, ...flags], (error) =>
      error === null ? resolve(performance.now() - from) : reject(error)
    )
  })

interface Rendered {
  readonly all: string
  readonly patches: string
  readonly objects: number
}

/** Each on a server that has nothing yet. Apps per second. */
const firstApply = async (wishes: Wishes, rendered: Rendered, version: string | undefined) => {
  const rates = (milliseconds: number) => (apps * 1000) / milliseconds
  const fresh = async (measure: (api: Api) => Promise<number>) => {
    const api = await startApi()
    try {
      return rates(await measure(api))
    } finally {
      await api.program.stop()
    }
  }
  const shuttle = () =>
    fresh(async (api) => {
      await wishes.program.ask("wantNothing")
      const agent = await startAgent(wishes, api)
      try {
        // It has listed everything and holds the empty document.
        await sleep(2_000)
        const from = await wishes.program.ask<number>("want")
        return (await untilRoutes(api, apps)) - from
      } finally {
        await agent.stop()
      }
    })
  const bare = () =>
    fresh(async (api) => {
      const program = await start(programFile("packages/shuttle/bench/BarePatches.process.ts"), [
        api.url,
        api.token,
        api.ca
      ])
      try {
        return await program.ask<number>("apply", { file: rendered.patches, atOnce: 32 })
      } finally {
        await program.stop()
      }
    })
  const measured = {
    shuttle: [] as Array<number>,
    bare: [] as Array<number>,
    kubectl: [] as Array<number>,
    kubectlUnvalidated: [] as Array<number>
  }
  for (let round = 1; round <= rounds; round++) {
    measured.shuttle.push(await shuttle())
    measured.bare.push(await bare())
    if (version !== undefined) {
      measured.kubectlUnvalidated.push(await fresh((api) => kubectl(api, rendered.all, "--validate=false")))
      measured.kubectl.push(await fresh((api) => kubectl(api, rendered.all)))
    }
    const last = Object.entries(measured).flatMap(([name, values]) =>
      values.length === 0 ? [] : [`${name} ${values.at(-1)!.toFixed(1)}`]
    )
    progress(`first apply, round ${round} of ${rounds}, apps per second: ${last.join(", ")}`)
  }
  return measured
}

interface PassRecord {
  readonly startedAtMs: number | null
  readonly durationMs: number | null
  readonly problem: string | null
}

/** Versions of all Deployments: a pass that writes nothing leaves them. */
const versions = async (api: Api): Promise<string> => {
  const { items } = await call<{
    readonly items: ReadonlyArray<{
      readonly metadata: { readonly name: string; readonly resourceVersion: string }
    }>
  }>(api, "/apis/apps/v1/deployments")
  return items.map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`).join()
}

/** Every project's pass, from the first one's start to the last one's end, as if they had begun together. */
const passWithoutWork = async (agent: Program, api: Api, intervalMs: number) => {
  const before = await versions(api)
  const cpuBefore = await agent.ask<NodeJS.CpuUsage>("cpu")
  await sleep(intervalMs * 1.2)
  const passes = await agent.ask<ReadonlyArray<PassRecord>>("passes")
  const cpuAfter = await agent.ask<NodeJS.CpuUsage>("cpu")
  return {
    /** One after the other; they run beside each other. */
    passMs: passes.reduce((sum, { durationMs }) => sum + (durationMs ?? 0), 0),
    cpuMs: (cpuAfter.user + cpuAfter.system - cpuBefore.user - cpuBefore.system) / 1000 / 1.2,
    problems: passes.filter(({ problem }) => problem !== null).length,
    isUntouched: before === (await versions(api))
  }
}

/** The same behind a line that has fallen silent without an end: nobody tells the agent. */
const driftBehindSilence = async (wishes: Wishes, api: Api, workload: Workload): Promise<number> => {
  const line = await silentLine(Number(new URL(api.url).port))
  const kubeconfig = join(folder, "behind-a-line")
  writeFileSync(
    kubeconfig,
    readFileSync(api.kubeconfig, "utf8").replace(api.url, `https://127.0.0.1:${line.port}`)
  )
  const agent = await startAgent(wishes, { ...api, kubeconfig })
  await sleep(15_000)
  line.silence()
  const ms = await drift(api, workload)
  await agent.stop()
  line.close()
  return ms
}

const rssMiB = ({ pid }: Program) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

await main(async () => {
  const version = versionOf()
  if (version === undefined) progress("kubectl is left out: there is none on this machine")
  const wishes = await startWishes()
  await wishes.program.ask("make", { projects: apps / appsPerProject, appsPerProject })
  const rendered = await wishes.program.ask<Rendered>("manifests")
  progress(`First apply of ${apps} apps, ${rendered.objects} objects`)
  const first = await firstApply(wishes, rendered, version)
  await wishes.program.stop()

  progress(`One agent with ${many} apps`)
  const interval = 5_000
  const [api, wished] = [await startApi(), await startWishes()]
  await wished.program.ask("make", { projects: many / appsPerProject, appsPerProject })
  const agent = await startAgent(wished, api, interval)
  const from = await wished.program.ask<number>("want")
  const manyMs = (await untilRoutes(api, many)) - from
  progress(`  applied after ${(manyMs / 1000).toFixed(1)} s`)
  await sleep(interval * 2)
  const pass = await passWithoutWork(agent, api, interval)
  progress(`  a pass without work: ${pass.passMs.toFixed(0)} ms, ${pass.cpuMs.toFixed(0)} ms of CPU`)

  const changed: Array<number> = []
  for (let n = 0; n < changes; n++) changed.push(await change(wished, api, (n * 37) % many))
  progress(
    `  one changed app: p50 ${median(changed).toFixed(0)} ms, worst ${Math.max(...changed).toFixed(0)} ms`
  )

  const { items } = await call<{ readonly items: ReadonlyArray<Workload> }>(api, "/apis/apps/v1/deployments")
  const repaired: Array<number> = []
  for (let n = 0; n < drifts; n++) {
    repaired.push(await drift(api, items[(n * 41) % items.length]!))
    await sleep(300)
  }
  progress(
    `  drift repaired: p50 ${median(repaired).toFixed(0)} ms, worst ${Math.max(...repaired).toFixed(0)} ms`
  )
  await agent.stop()

  // As it is deployed: passes every 30 s.
  const resting = await startAgent(wished, api)
  await wished.program.ask("want")
  await sleep(15_000)
  const cpuBefore = await resting.ask<NodeJS.CpuUsage>("cpu")
  await sleep(restSeconds * 1000)
  const cpuAfter = await resting.ask<NodeJS.CpuUsage>("cpu")
  const idle = (cpuAfter.user + cpuAfter.system - cpuBefore.user - cpuBefore.system) / 1e6 / restSeconds
  const rss = rssMiB(resting)
  progress(`  at rest: ${rss.toFixed(0)} MiB, ${(idle * 100).toFixed(1)} % of a core`)
  await resting.stop()

  const behindSilence = await driftBehindSilence(wished, api, items[1]!)
  progress(`  drift repaired behind a silent cut: ${(behindSilence / 1000).toFixed(1)} s`)
  await wished.program.stop()
  await api.program.stop()

  progress(`Two agents with ${many} apps, one with every 20th failing for ever`)
  const beside = await besideFailingApps(many, appsPerProject, changes, pairs)
  const besideRatio = median(beside.map(({ failing, quiet }) => failing / quiet))

  progress(`${watched} changes of ${many} pods`)
  const slope = await watchSlope(watched, many)

  const ratio = (to: ReadonlyArray<number>) =>
    to.length === 0 ? null : median(first.shuttle.map((rate, round) => rate / to[round]!))
  const ratios = {
    kubectl: ratio(first.kubectl),
    kubectlUnvalidated: ratio(first.kubectlUnvalidated),
    bare: ratio(first.bare)
  }
  const times = (value: number | null) => (value === null ? "not measured" : `${value.toFixed(2)} ×`)
  console.log(
    `\n${table([
      ["what", "measured", "target"],
      [`first apply of ${apps} apps`, `${median(first.shuttle).toFixed(1)} apps/s`, ""],
      [`to kubectl apply --server-side (${version ?? "none"})`, times(ratios.kubectl), "≥ 10 ×"],
      ["the same with --validate=false", times(ratios.kubectlUnvalidated), "≥ 1.5 ×"],
      ["bare Node, 32 patches at a time", times(ratios.bare), "≥ 0.7 ×"],
      [`a pass without work over ${many} apps`, `${pass.passMs.toFixed(0)} ms`, "≤ 1 s, no write"],
      ["one changed app, worst", `${Math.max(...changed).toFixed(0)} ms`, "≤ 300 ms"],
      [`RSS with ${many} apps`, `${rss.toFixed(0)} MiB`, "≤ 150 MiB"],
      ["CPU at rest", `${(idle * 100).toFixed(1)} % of a core`, "≤ 2 %"],
      ["drift repaired, worst", `${Math.max(...repaired).toFixed(0)} ms`, "≤ 2 s"],
      ["the same behind a silent cut", `${(behindSilence / 1000).toFixed(1)} s`, "≤ 35 s"],
      [`heap that each of ${watched} changes left`, `${slope.bytesPerChange.toFixed(2)} bytes`, "0"],
      [`deploys beside 5 % failing apps, p99, ${pairs} pairs`, `${besideRatio.toFixed(2)} ×`, "≤ 1.5 ×"]
    ])}`
  )
  if (!pass.isUntouched) console.log("The pass without work wrote something.")
  record("shuttle", {
    load: { apps, appsPerProject, objects: rendered.objects, many },
    kubectl: version ?? null,
    appsPerSecond: first,
    ratios,
    many: {
      appliedMs: manyMs,
      pass,
      changedMs: changed,
      repairedMs: repaired,
      behindSilenceMs: behindSilence
    },
    slope,
    beside: { pairs: beside, ratio: besideRatio },
    rest: { rssMiB: rss, cpuShare: idle }
  })
})
