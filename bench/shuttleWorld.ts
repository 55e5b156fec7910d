/** An API server, an agent and its Starbase for `bench shuttle`, each a process of its own. */
import { Agent, request } from "node:https"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { type Program, start } from "./program.ts"
import { programFile } from "./report.ts"

export const wallclock = () => performance.timeOrigin + performance.now()

export const folder = mkdtempSync(join(tmpdir(), "starform-shuttle-"))
process.once("exit", () => rmSync(folder, { recursive: true, force: true }))

export interface Api {
  readonly program: Program
  readonly url: string
  readonly token: string
  /** Its certificate. */
  readonly ca: string
  readonly kubeconfig: string
}

export interface Wishes {
  readonly program: Program
  readonly url: string
  readonly clusterId: string
}

export const startApi = async (): Promise<Api> => {
  const kubeconfig = join(mkdtempSync(join(folder, "api-")), "kubeconfig")
  const program = await start(programFile("infra/launchpad/bench/KubernetesApi.process.ts"), [kubeconfig])
  return {
    program,
    kubeconfig,
    ...(await program.ask<{ url: string; token: string; ca: string }>("address"))
  }
}

export const startWishes = async (): Promise<Wishes> => {
  const program = await start(programFile("infra/launchpad/bench/Wishes.process.ts"), [folder])
  return {
    program,
    url: await program.ask<string>("url"),
    clusterId: await program.ask<string>("clusterId")
  }
}

export const startAgent = (wishes: Wishes, api: Api, intervalMs = 30_000) =>
  start(
    programFile("packages/shuttle/bench/Agent.process.ts"),
    [wishes.url, api.kubeconfig, wishes.clusterId, mkdtempSync(join(folder, "agent-")), String(intervalMs)],
    // As its image and `npm start` run it.
    ["--max-semi-space-size=2", "--heap-growing-percent=20"]
  )

const connections = new Agent({ keepAlive: true })

/** The body of the answer. */
export const call = <A>(
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
export const untilRoutes = async (api: Api, wanted: number): Promise<number> => {
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
