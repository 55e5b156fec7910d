/**
 * vmagent with our scrape rules between a stand-in for the cluster's exporters and a real VictoriaMetrics, behind a door
 * that writes down path and token of each write. Discovery is replaced by one address for each job; the rules on what
 * comes from there are the file's own.
 */
import { spawn, spawnSync } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer, request, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { parse, stringify } from "yaml"
import { chartOf } from "./ChartValues.ts"
import { root } from "./Kustomization.ts"

export const scrapeFile = join(root, "base/collectors/vmagent/scrape.yml")

/** Debian's package brings both. */
export const missing: string | undefined = ["vmagent", "victoria-metrics"].some(
  (program) => spawnSync(program, ["-version"]).error !== undefined
)
  ? "vmagent and victoria-metrics are not installed (Debian's package victoria-metrics)"
  : undefined

export const clusterEnvironment = { CLUSTER_ID: "0c4e1b7e-6f3a-4d2b-9a51-8d1f0e7a2b3c", REGION: "fra1" }

interface Job {
  readonly job_name: string
  readonly metrics_path?: string
  readonly metric_relabel_configs: unknown
  readonly honor_labels?: boolean
}

const listen = (server: Server): Promise<number> =>
  new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port))
  )

const freePort = async (): Promise<number> => {
  const server = createServer()
  const port = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Text answered on each path of the exporters. */
export type Exposed = Readonly<Record<string, string>>

const exporters = (exposed: Exposed): Server =>
  createServer((incoming, outgoing) => void outgoing.end(exposed[incoming.url ?? ""] ?? ""))

export interface Write {
  readonly url: string | undefined
  readonly authorization: string | undefined
}

const door = (writes: Array<Write>, storePort: number): Server =>
  createServer((incoming, outgoing) => {
    const { headers, method, url } = incoming
    writes.push({ url, authorization: headers.authorization })
    const onward = request(
      { host: "127.0.0.1", port: storePort, path: "/api/v1/write", method, headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502)
        answer.pipe(outgoing)
      }
    )
    onward.on("error", () => outgoing.writeHead(503).end())
    incoming.pipe(onward)
  })

/** The jobs of the file, each with one target instead of what it would discover. */
const withTargets = (port: number): string => {
  const { global, scrape_configs } = parse(readFileSync(scrapeFile, "utf8")) as {
    readonly global: object
    readonly scrape_configs: ReadonlyArray<Job>
  }
  return stringify({
    global: { ...global, scrape_interval: "1s" },
    scrape_configs: scrape_configs.map(
      ({ honor_labels = false, job_name, metric_relabel_configs, metrics_path }) => ({
        job_name,
        honor_labels,
        metrics_path: metrics_path ?? "/metrics",
        metric_relabel_configs,
        static_configs: [{ targets: [`127.0.0.1:${port}`] }]
      })
    )
  })
}

/** Flags as the chart makes them of its values; the address of the door instead of the region's. */
const remoteWrite = (doorPort: number, tokenFile: string): ReadonlyArray<string> => {
  const [{ bearerTokenFile, tlsCAFile, url = "", ...others } = {}] =
    chartOf("vmagent").values.remoteWrite ?? []
  if (bearerTokenFile === undefined || tlsCAFile === undefined) throw new Error("no token or no authority")
  const { pathname } = new URL(url.replace("$(REGION)", clusterEnvironment.REGION))
  return [
    `-remoteWrite.url=http://127.0.0.1:${doorPort}${pathname}`,
    `-remoteWrite.bearerTokenFile=${tokenFile}`,
    ...Object.entries(others).map(([key, value]) => `-remoteWrite.${key}=${value}`)
  ]
}

export type Series = Readonly<Record<string, string>>

/** Runs both until `isEnough`, at most 20 s. */
export const collect = async (
  folder: string,
  exposed: Exposed,
  isEnough: (series: ReadonlyArray<Series>) => boolean
): Promise<{ readonly series: ReadonlyArray<Series>; readonly writes: ReadonlyArray<Write> }> => {
  const writes: Array<Write> = []
  const storePort = await freePort()
  const servers = [exporters(exposed), door(writes, storePort)]
  const [exportersPort = 0, doorPort = 0] = await Promise.all(servers.map(listen))
  mkdirSync(join(folder, "store"))
  writeFileSync(join(folder, "token"), "cluster-token\n")
  writeFileSync(join(folder, "scrape.yml"), withTargets(exportersPort))
  const children = [
    spawn("victoria-metrics", [
      `-httpListenAddr=127.0.0.1:${storePort}`,
      `-storageDataPath=${join(folder, "store")}`,
      "-search.latencyOffset=0s"
    ]),
    spawn(
      "vmagent",
      [
        "-httpListenAddr=127.0.0.1:0",
        `-promscrape.config=${join(folder, "scrape.yml")}`,
        `-remoteWrite.tmpDataPath=${join(folder, "queue")}`,
        ...remoteWrite(doorPort, join(folder, "token"))
      ],
      { env: clusterEnvironment }
    )
  ]
  const store = `http://127.0.0.1:${storePort}`
  const look = async (): Promise<ReadonlyArray<Series>> => {
    try {
      await fetch(`${store}/internal/force_flush`)
      const answer = await fetch(`${store}/api/v1/series?match[]={__name__!=""}`)
      return ((await answer.json()) as { readonly data: ReadonlyArray<Series> }).data
    } catch {
      return []
    }
  }
  try {
    const until = Date.now() + 20_000
    let series = await look()
    while (!isEnough(series)) {
      if (Date.now() > until) throw new Error(`not within 20 s; last: ${JSON.stringify(series, null, 1)}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
      series = await look()
    }
    return { series, writes }
  } finally {
    for (const child of children) {
      const ended = new Promise((resolve) => child.once("close", resolve))
      child.kill("SIGKILL")
      await ended
    }
    for (const server of servers) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}
