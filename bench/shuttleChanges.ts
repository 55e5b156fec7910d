/** What happens to one app of an agent that has many: a new deploy, and somebody's hand on its Deployment. */
import { setTimeout as sleep } from "node:timers/promises"
import { type Api, call, wallclock, type Wishes } from "./shuttleWorld.ts"

const annotationsOf = async (api: Api, path: string): Promise<Readonly<Record<string, string>>> => {
  const { metadata } = await call<{
    readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> }
  }>(api, path)
  return metadata?.annotations ?? {}
}

/** From the answer of the pull to the write of the changed Deployment. */
export const change = async (wishes: Wishes, api: Api, index: number): Promise<number> => {
  const { deployId, path } = await wishes.program.ask<{ deployId: string; path: string }>("change", index)
  while (true) {
    const annotations = await annotationsOf(api, path)
    if (annotations["starform.io/deployment-id"] === deployId) {
      return wallclock() - (await wishes.program.ask<number>("answered"))
    }
    await sleep(2)
  }
}

export interface Workload {
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly spec: { readonly replicas: number }
}

export const pathOf = ({ metadata }: Workload) =>
  `/apis/apps/v1/namespaces/${metadata.namespace}/deployments/${metadata.name}`

/** Somebody scales a Deployment by hand; milliseconds until it is as it was. */
export const drift = async (api: Api, workload: Workload): Promise<number> => {
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
