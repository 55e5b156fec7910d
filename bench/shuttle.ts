/**
 * `npm run bench shuttle`: the agent against an API server. A first apply of many apps beside kubectl and beside bare Node
 * that sends the same patches, each on a server of its own; then one agent with many apps: passes without work, one changed
 * app, memory and CPU at rest, and repair of drift.
 */
import { execFile, spawnSync } from "node:child_process"
import { Agent, request } from "node:https"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { main, type Program, start } from "./program.ts"
import { programFile, progress, record, words } from "./report.ts"
import { percentile, table } from "./statistics.ts"

const { apps, appsPerProject, many, changes, drifts, restSeconds, rounds } = words({
  apps: 200,
  appsPerProject: 4,
  many: 1_000,
  changes: 30,
  drifts: 20,
  restSeconds: 30,
  rounds: 3
})

const median = (values: ReadonlyArray<number>) => percentile(values, 0.5)
const wallclock = () => performance.timeOrigin + performance.now()
const folder = mkdtempSync(join(tmpdir(), "starform-shuttle-"))
process.once("exit", () => rmSync(folder, { recursive: true, force: true }))

interface Api {
  readonly program: Program
  readonly url: string
  readonly token: string
  /** Its certificate. */
  readonly ca: string
  readonly kubeconfig: string
}

interface Wishes {
  readonly program: Program
  readonly url: string
  readonly clusterId: string
}

const startApi = async (): Promise<Api> => {
  const kubeconfig = join(mkdtempSync(join(folder, "api-")), "kubeconfig")
  const program = await start(programFile("infra/launchpad/bench/KubernetesApi.process.ts"), [kubeconfig])
  return {
    program,
    kubeconfig,
    ...(await program.ask<{ url: string; token: string; ca: string }>("address"))
  }
}

const startWishes = async (): Promise<Wishes> => {
  const program = await start(programFile("infra/launchpad/bench/Wishes.process.ts"), [folder])
  return {
    program,
    url: await program.ask<string>("url"),
    clusterId: await program.ask<string>("clusterId")
  }
}

const startAgent = (wishes: Wishes, api: Api, intervalMs = 30_000) =>
  start(programFile("packages/shuttle/bench/Agent.process.ts"), [
    wishes.url,
    api.kubeconfig,
    wishes.clusterId,
    mkdtempSync(join(folder, "agent-")),
    String(intervalMs)
  ])

const connections = new Agent({ keepAlive: true })

/** The body of the answer. */
const call = <A>(
  { ca, token, url }: Api,
  path: string,
  {
    body = "",
    headers = {},
    method = "GET"
  }: {
    readonly method?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
  } = {}
): Promise<A> =>
  new Promise((resolve, reject) => {
    const sent = request(
      `${url}${path}`,
      {
        method,
        ca,
        agent: connections,
        headers: { authorization: `Bearer ${token}`, accept: "application/json", ...headers }
      },
      (response) => {
        let text = ""
        response.setEncoding("utf8").on("data", (part: string) => (text += part))
        response.on("end", () => resolve(JSON.parse(text) as A))
      }
    )
    sent.on("error", reject)
    sent.end(body)
  })

const routesPath = "/apis/gateway.networking.k8s.io/v1/httproutes"

/** Until as many routes are there; they are written last. When, by the clock of all processes. */
const untilRoutes = async (api: Api, wanted: number): Promise<number> => {
  const headers = { accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1" }
  while (true) {
    const { items, metadata } = await call<{
      readonly items: ReadonlyArray<unknown>
      readonly metadata: { readonly remainingItemCount?: number }
    }>(api, `${routesPath}?limit=1`, { headers })
    if (items.length + (metadata.remainingItemCount ?? 0) >= wanted) return wallclock()
    await sleep(10)
  }
}

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
      const agent = await startAgent(wishes, api)
      try {
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

const annotationsOf = async (api: Api, path: string): Promise<Readonly<Record<string, string>>> => {
  const { metadata } = await call<{
    readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> }
  }>(api, path)
  return metadata?.annotations ?? {}
}

/** From the answer of the pull to the write of the changed Deployment. */
const change = async (wishes: Wishes, api: Api, index: number): Promise<number> => {
  const { deployId, path } = await wishes.program.ask<{ deployId: string; path: string }>("change", index)
  while (true) {
    const annotations = await annotationsOf(api, path)
    if (annotations["starform.io/deployment-id"] === deployId) {
      return wallclock() - (await wishes.program.ask<number>("answered"))
    }
    await sleep(2)
  }
}

interface Workload {
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly spec: { readonly replicas: number }
}

const pathOf = ({ metadata }: Workload) =>
  `/apis/apps/v1/namespaces/${metadata.namespace}/deployments/${metadata.name}`

/** Somebody scales a Deployment by hand; milliseconds until it is as it was. */
const drift = async (api: Api, workload: Workload): Promise<number> => {
  const path = pathOf(workload)
  const from = performance.now()
  await call(api, path, {
    method: "PATCH",
    headers: { "content-type": "application/merge-patch+json" },
    body: JSON.stringify({ spec: { replicas: 7 } })
  })
  while (true) {
    const { spec } = await call<Workload>(api, path)
    if (spec.replicas === workload.spec.replicas) return performance.now() - from
    await sleep(2)
  }
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
      ["drift repaired, worst", `${Math.max(...repaired).toFixed(0)} ms`, "≤ 2 s"]
    ])}`
  )
  if (!pass.isUntouched) console.log("The pass without work wrote something.")
  record("shuttle", {
    load: { apps, appsPerProject, objects: rendered.objects, many },
    kubectl: version ?? null,
    appsPerSecond: first,
    ratios,
    many: { appliedMs: manyMs, pass, changedMs: changed, repairedMs: repaired },
    rest: { rssMiB: rss, cpuShare: idle }
  })
})
