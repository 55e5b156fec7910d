/**
 * Apps beside others that fail for ever: two agents of equally many apps, one of them with every 20th refused by the API
 * server at each attempt, because somebody gave its Deployment another selector. New deploys of healthy apps, by turns.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { type Program } from "./program.ts"
import { progress } from "./report.ts"
import { percentile } from "./statistics.ts"
import { change, type Workload } from "./shuttleChanges.ts"
import {
  type Api,
  call,
  startAgent,
  startApi,
  startWishes,
  untilRoutes,
  type Wishes
} from "./shuttleWorld.ts"

const failingOneIn = 20

interface Side {
  readonly api: Api
  readonly wishes: Wishes
  readonly agent: Program
}

interface WholeWorkload extends Workload {
  readonly spec: Workload["spec"] & {
    readonly selector: { readonly matchLabels: object }
    readonly template: { readonly metadata: { readonly labels: object } }
  }
}

const startSide = async (apps: number, appsPerProject: number): Promise<Side> => {
  const [api, wishes] = [await startApi(), await startWishes()]
  await wishes.program.ask("make", { projects: apps / appsPerProject, appsPerProject })
  const agent = await startAgent(wishes, api)
  await wishes.program.ask("want")
  await untilRoutes(api, apps)
  return { api, wishes, agent }
}

/** As if it had been made by somebody else under our label: its selector can never become ours. */
const breakOne = async (api: Api, path: string): Promise<void> => {
  const { metadata, spec, ...rest } = await call<WholeWorkload & { readonly metadata: { labels: object } }>(
    api,
    path
  )
  const foreign = { "bench.example.com/foreign": "true" }
  const { name, namespace, labels } = metadata
  const { template } = spec
  const body = JSON.stringify({
    ...rest,
    status: undefined,
    metadata: { name, namespace, labels },
    spec: {
      ...spec,
      selector: { matchLabels: foreign },
      template: { ...template, metadata: { labels: { ...template.metadata.labels, ...foreign } } }
    }
  })
  while (true) {
    await call(api, path, { method: "DELETE" })
    const made = await call<{ readonly kind: string }>(api, path.slice(0, path.lastIndexOf("/")), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body
    })
    if (made.kind === "Deployment") return
  }
}

/** How many of the side's apps are reported to fail. */
const untilFailing = async ({ wishes }: Side, wanted: number): Promise<void> => {
  while ((await wishes.program.ask<number>("failing")) < wanted) await sleep(100)
}

/** Milliseconds from a pull's answer to the write, for deploys of healthy apps one after the other. */
const deploys = async ({ api, wishes }: Side, count: number, from: number, apps: number) => {
  const times: Array<number> = []
  for (let n = 0; n < count; n++) {
    const index = ((from + n) * 37) % apps
    times.push(await change(wishes, api, index % failingOneIn === 0 ? index + 1 : index))
  }
  return percentile(times, 0.99)
}

/** Of each pair the p99 without and with failing apps; the order changes from pair to pair. */
export const besideFailingApps = async (
  apps: number,
  appsPerProject: number,
  count: number,
  pairs: number
) => {
  const quiet = await startSide(apps, appsPerProject)
  const loaded = await startSide(apps, appsPerProject)
  const paths = await loaded.wishes.program.ask<ReadonlyArray<string>>("deployments")
  const broken = paths.filter((_, index) => index % failingOneIn === 0)
  for (const path of broken) await breakOne(loaded.api, path)
  await untilFailing(loaded, broken.length)
  const measured: Array<{ readonly quiet: number; readonly failing: number }> = []
  for (let pair = 0; pair < pairs; pair++) {
    const run = (side: Side) => deploys(side, count, pair * count, apps)
    const first = await run(pair % 2 === 0 ? quiet : loaded)
    const second = await run(pair % 2 === 0 ? loaded : quiet)
    const both = pair % 2 === 0 ? { quiet: first, failing: second } : { quiet: second, failing: first }
    measured.push(both)
    progress(
      `  beside ${broken.length} failing apps, pair ${pair + 1} of ${pairs}: p99 ${both.failing.toFixed(0)} ms, without ${both.quiet.toFixed(0)} ms`
    )
  }
  await untilFailing(loaded, broken.length)
  for (const { agent, api, wishes } of [quiet, loaded]) {
    await agent.stop()
    await wishes.program.stop()
    await api.program.stop()
  }
  return measured
}
