/**
 * An API server that has pods and nothing else, and tells of as many changes of them as it is asked for. Argument: how many
 * pods. One change in fifty is a pod that goes and another one that comes.
 */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { serve } from "../../../bench/program.ts"

const pods = Number(process.argv[2] ?? 1_000)

let version = 1_000_000
let made = 0
const names = Array.from({ length: pods }, () => `pod-${made++}`)

const pod = (name: string) => ({
  kind: "Pod",
  apiVersion: "v1",
  metadata: {
    name,
    namespace: `proj-${name.length % 50}`,
    uid: `uid-${name}`,
    resourceVersion: String(++version),
    labels: { "starform.io/managed-by": "shuttle", "starform.io/service": name, "pod-template-hash": "5c7d" },
    annotations: { "starform.io/deployment-id": `deploy-${version % 100}` },
    ownerReferences: [{ kind: "ReplicaSet", name: "web", uid: "uid-web", controller: true }],
    managedFields: [
      { manager: "kubelet", operation: "Update", subresource: "status", fieldsV1: { "f:status": {} } }
    ]
  },
  spec: { containers: [{ name: "app", resources: { requests: { cpu: "250m", memory: "512Mi" } } }] },
  status: {
    phase: "Running",
    podIP: `10.0.0.${version % 250}`,
    containerStatuses: [{ name: "app", ready: true, restartCount: version % 7, state: { running: {} } }]
  }
})

const changes = (index: number): ReadonlyArray<object> => {
  const at = index % pods
  const name = names[at]!
  if (index % 50 !== 0) return [{ type: "MODIFIED", object: pod(name) }]
  names[at] = `pod-${made++}`
  return [
    { type: "DELETED", object: pod(name) },
    { type: "ADDED", object: pod(names[at]) }
  ]
}

let watcher: ServerResponse | undefined
let told = 0

const server = createServer((request, response) => {
  response.writeHead(200, { "content-type": "application/json" })
  if ((request.url ?? "").includes("watch=")) {
    watcher = response
    response.flushHeaders()
    return
  }
  response.end(
    JSON.stringify({ kind: "PodList", metadata: { resourceVersion: String(version) }, items: names.map(pod) })
  )
})

await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))

/** Tells of this many changes, as fast as they are taken. */
const tell = async (count: number): Promise<void> => {
  const until = told + count
  while (told < until) {
    if (watcher === undefined) {
      await new Promise((resolve) => setImmediate(resolve))
      continue
    }
    let text = ""
    for (let n = 0; n < 100; n++) {
      const lines = changes(told)
      told += lines.length
      for (const line of lines) text += `${JSON.stringify(line)}\n`
    }
    const stream = watcher
    if (!stream.write(text)) await new Promise((resolve) => stream.once("drain", resolve))
  }
}

serve({
  url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  tell: async (count: number) => {
    await tell(count)
    return { told, newest: version }
  }
})
