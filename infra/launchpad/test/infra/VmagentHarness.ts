/**
 * vmagent with our scrape rules: it finds its targets in the local cluster, behind its own rights, asks stand-ins for Envoy,
 * a kubelet and kube-state-metrics, and writes to a real VictoriaMetrics behind a door that notes path and token.
 */
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"
import type { ServerCertificate } from "@starform/launchpad/kubernetes/ServerCertificate"
import { Redacted } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http"
import { createServer as createTlsServer } from "node:https"
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

interface Discovery {
  readonly [key: string]: unknown
}

interface Job {
  readonly kubernetes_sd_configs: ReadonlyArray<Discovery>
  readonly authorization?: { readonly credentials_file: string }
  readonly [key: string]: unknown
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

const accountToken = "service-account-token"

const answer =
  (exposed: Exposed, isAllowed: (authorization: string | undefined) => boolean) =>
  ({ headers, url }: IncomingMessage, response: ServerResponse): void =>
    void (isAllowed(headers.authorization)
      ? response.end(exposed[url ?? ""] ?? "")
      : response.writeHead(401).end())

/** Where the stand-ins listen, on 127.0.0.1. */
export interface Targets {
  readonly exporters: number
  readonly kubelet: number
}

export interface Stage {
  readonly targets: Targets
  /** Runs vmagent and a store until `isEnough`, at most 20 s. */
  readonly collect: (
    apiServer: string,
    isEnough: (series: ReadonlyArray<Series>) => boolean
  ) => Promise<{ readonly series: ReadonlyArray<Series>; readonly writes: ReadonlyArray<Write> }>
  readonly close: () => Promise<void>
}

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

/** The file itself, but for how often it asks, and where the cluster's API and an account's token are. */
const scrapeConfig = (apiServer: string, tokenFile: string): string => {
  const { global, scrape_configs } = parse(readFileSync(scrapeFile, "utf8")) as {
    readonly global: object
    readonly scrape_configs: ReadonlyArray<Job>
  }
  return stringify({
    global: { ...global, scrape_interval: "1s" },
    scrape_configs: scrape_configs.map((job) => ({
      ...job,
      ...(job.authorization === undefined ? {} : { authorization: { credentials_file: tokenFile } }),
      kubernetes_sd_configs: job.kubernetes_sd_configs.map((discovery) => ({
        ...discovery,
        api_server: apiServer,
        bearer_token: Redacted.value(KubernetesServer.testToken)
      }))
    }))
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

const closed = async (server: Server): Promise<void> => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

/** @param certificate the kubelet's own; vmagent knows no authority of it */
export const stage = async (
  folder: string,
  exposed: Exposed,
  certificate: ServerCertificate
): Promise<Stage> => {
  const writes: Array<Write> = []
  const storePort = await freePort()
  const exporters = createServer(answer(exposed, () => true))
  const kubelet = createTlsServer(
    { cert: certificate.certificate, key: Redacted.value(certificate.privateKey) },
    answer(exposed, (authorization) => authorization === `Bearer ${accountToken}`)
  )
  const entrance = door(writes, storePort)
  const servers = [exporters, kubelet, entrance]
  const [exportersPort = 0, kubeletPort = 0, doorPort = 0] = await Promise.all(servers.map(listen))
  const store = `http://127.0.0.1:${storePort}`

  const look = async (): Promise<ReadonlyArray<Series>> => {
    try {
      await fetch(`${store}/internal/force_flush`)
      const found = await fetch(`${store}/api/v1/series?match[]={__name__!=""}`)
      return ((await found.json()) as { readonly data: ReadonlyArray<Series> }).data
    } catch {
      return []
    }
  }

  const collect: Stage["collect"] = async (apiServer, isEnough) => {
    mkdirSync(join(folder, "store"))
    writeFileSync(join(folder, "token"), "cluster-token\n")
    writeFileSync(join(folder, "account-token"), accountToken)
    writeFileSync(join(folder, "scrape.yml"), scrapeConfig(apiServer, join(folder, "account-token")))
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
          "-promscrape.config.strictParse",
          `-remoteWrite.tmpDataPath=${join(folder, "queue")}`,
          ...remoteWrite(doorPort, join(folder, "token"))
        ],
        { env: clusterEnvironment }
      )
    ]
    let said = ""
    children[1]?.stderr.on("data", (bytes: Buffer) => (said += bytes.toString("utf8")))
    try {
      const until = Date.now() + 20_000
      let series = await look()
      while (!isEnough(series)) {
        if (Date.now() > until) {
          throw new Error(`not within 20 s; last: ${JSON.stringify(series)}\n${said.slice(-5_000)}`)
        }
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
    }
  }

  return {
    targets: { exporters: exportersPort, kubelet: kubeletPort },
    collect,
    close: async () => {
      for (const server of servers) await closed(server)
    }
  }
}
