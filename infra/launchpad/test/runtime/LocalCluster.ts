/** The whole local cluster in one process: object store, controllers, runtime and gateway, with apps that are node scripts. */
import * as Controllers from "@starform/launchpad/controllers/Controllers"
import * as ControllersConfig from "@starform/launchpad/controllers/ControllersConfig"
import * as EventRecorder from "@starform/launchpad/controllers/EventRecorder"
import * as Gateway from "@starform/launchpad/gateway/Gateway"
import * as GatewayConfig from "@starform/launchpad/gateway/GatewayConfig"
import { ClusterObjects, type KubernetesObject } from "@starform/launchpad/kubernetes/ClusterObjects"
import * as ClusterObjectsStore from "@starform/launchpad/kubernetes/ClusterObjectsStore"
import * as GarbageCollector from "@starform/launchpad/kubernetes/GarbageCollector"
import * as ObjectStore from "@starform/launchpad/kubernetes/ObjectStore"
import * as Kubelet from "@starform/launchpad/runtime/Kubelet"
import type * as KubeletConfig from "@starform/launchpad/runtime/KubeletConfig"
import * as PodLogFiles from "@starform/launchpad/runtime/PodLogFiles"
import * as PodUsage from "@starform/launchpad/runtime/PodUsage"
import { Effect, Layer, Option } from "effect"
import * as http from "node:http"
import { imageStore, nodeServices } from "./PodHarness.ts"

export const objectsMemory = ClusterObjectsStore.layer.pipe(
  Layer.merge(GarbageCollector.layer),
  Layer.provideMerge(ObjectStore.layerMemory)
)

/** Everything above the objects; built anew it is what a restart of Launchpad builds. */
export const planes = (
  folder: string,
  settings: Partial<KubeletConfig.KubeletSettings> = {},
  controllers: Partial<ControllersConfig.ControllersSettings> = {}
) =>
  Kubelet.layerNoDeps.pipe(
    Layer.merge(Controllers.layerNoDeps),
    Layer.merge(PodLogFiles.layerNoDeps),
    Layer.provideMerge(PodUsage.layerNoDeps),
    Layer.provideMerge(Gateway.layerNoDeps),
    Layer.provideMerge(EventRecorder.layerNoDeps),
    Layer.provideMerge(
      Layer.mergeAll(
        nodeServices(folder, settings),
        imageStore(folder),
        GatewayConfig.layer(),
        ControllersConfig.layer(controllers)
      )
    )
  )

export const namespace = "shop"

/** The process answers with its version, and lets requests in flight end after SIGTERM. */
export const serverScript = (version: string, extra = "") => `
const http = require("node:http")
${extra}
const server = http.createServer((request, response) => {
  setTimeout(() => response.end(JSON.stringify({ version: "${version}", pid: process.pid })), 5)
})
server.listen(process.env.PORT)
process.on("SIGTERM", () => server.close(() => process.exit(0)))
`

/** Slow to answer, and SIGTERM ends it in the middle of whatever it does. */
export const abruptScript = (version: string) => `
require("node:http").createServer((request, response) => {
  setTimeout(() => response.end(JSON.stringify({ version: "${version}", pid: process.pid })), 60)
}).listen(process.env.PORT)
`

export interface AppOptions {
  readonly name: string
  readonly image: string
  readonly replicas?: number
  readonly spec?: Readonly<Record<string, unknown>>
  readonly container?: Readonly<Record<string, unknown>>
  readonly pod?: Readonly<Record<string, unknown>>
}

export const deployment = (options: AppOptions) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: options.name, namespace },
  spec: {
    replicas: options.replicas ?? 1,
    selector: { matchLabels: { app: options.name } },
    strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    ...options.spec,
    template: {
      metadata: { labels: { app: options.name } },
      spec: {
        terminationGracePeriodSeconds: 3,
        ...options.pod,
        containers: [
          {
            name: "app",
            image: options.image,
            ports: [{ name: "http", containerPort: 3000 }],
            env: [{ name: "PORT", value: "3000" }],
            readinessProbe: { httpGet: { path: "/", port: "http" }, periodSeconds: 1 },
            ...options.container
          }
        ]
      }
    }
  }
})

const service = (name: string) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace },
  spec: { selector: { app: name }, ports: [{ name: "http", port: 80, targetPort: "http" }] }
})

const route = (name: string) => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata: { name, namespace },
  spec: {
    parentRefs: [{ name: "starform", namespace: "envoy-gateway-system" }],
    hostnames: [`${name}.localhost`],
    rules: [{ backendRefs: [{ name, port: 80 }] }]
  }
})

export const ensureNamespace = Effect.gen(function* () {
  const objects = yield* ClusterObjects
  yield* objects.create("namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } })
})

/** Deployment, Service and HTTPRoute of one app. */
export const createApp = Effect.fn("createApp")(function* (options: AppOptions) {
  const objects = yield* ClusterObjects
  yield* objects.create("apps/deployments", deployment(options))
  yield* objects.create("services", service(options.name))
  yield* objects.create("gateway.networking.k8s.io/httproutes", route(options.name))
})

export const updateApp = Effect.fn("updateApp")(function* (options: AppOptions) {
  const objects = yield* ClusterObjects
  yield* objects.modify({ resource: "apps/deployments", namespace, name: options.name }, (object) => ({
    ...object,
    spec: deployment(options).spec
  }))
})

export interface SeenPod extends KubernetesObject {
  readonly status: {
    readonly phase: string
    readonly conditions?: ReadonlyArray<{ type: string; status: string; reason?: string; message?: string }>
    readonly containerStatuses?: ReadonlyArray<{
      restartCount: number
      state: { waiting?: { reason: string }; running?: object }
    }>
  }
}

export interface SeenDeployment extends KubernetesObject {
  readonly status: {
    readonly observedGeneration?: number
    readonly replicas?: number
    readonly updatedReplicas?: number
    readonly availableReplicas?: number
    readonly readyReplicas?: number
    readonly conditions?: ReadonlyArray<{ type: string; status: string; reason: string; message: string }>
  }
}

export const podsOf = Effect.fn("podsOf")(function* (app: string) {
  const objects = yield* ClusterObjects
  const pods = yield* objects.list("pods", { namespace, labelSelector: `app=${app}` })
  return pods as unknown as ReadonlyArray<SeenPod>
})

export const deploymentOf = Effect.fn("deploymentOf")(function* (app: string) {
  const objects = yield* ClusterObjects
  const found = yield* objects.get({ resource: "apps/deployments", namespace, name: app })
  return Option.getOrThrow(found) as unknown as SeenDeployment
})

export const isReady = (pod: SeenPod): boolean =>
  pod.status.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true

/** Polls an effect; after `seconds` it fails with the last value. */
export const eventually = <A, E, R>(
  what: string,
  look: Effect.Effect<A, E, R>,
  check: (value: A) => boolean,
  seconds = 15
) =>
  Effect.gen(function* () {
    const deadline = Date.now() + seconds * 1000
    while (true) {
      const value = yield* look
      if (check(value)) return value
      if (Date.now() > deadline) {
        return yield* Effect.die(new Error(`not in ${seconds} s: ${what}\n${JSON.stringify(value, null, 1)}`))
      }
      yield* Effect.sleep(15)
    }
  })

/** Everything that the Deployment asks for is there, and nothing else. */
export const settled = (app: string, seconds?: number) =>
  eventually(
    `${app} settled`,
    deploymentOf(app),
    ({ metadata, spec, status }) => {
      const replicas = (spec as { replicas: number }).replicas
      return (
        status.observedGeneration === metadata.generation &&
        (status.replicas ?? 0) === replicas &&
        (status.updatedReplicas ?? 0) === replicas &&
        (status.availableReplicas ?? 0) === replicas
      )
    },
    seconds
  )

export interface Answer {
  readonly status: number
  readonly body: string
  readonly headers: http.IncomingHttpHeaders
}

export const request = (
  port: number,
  host: string,
  options: { readonly path?: string; readonly agent?: http.Agent } = {}
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const sent = http.get(
      {
        host: "127.0.0.1",
        port,
        path: options.path ?? "/",
        headers: { Host: host },
        ...(options.agent === undefined ? {} : { agent: options.agent })
      },
      (response) => {
        let body = ""
        response.setEncoding("utf8")
        response.on("data", (part: string) => (body += part))
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body, headers: response.headers })
        )
        response.on("error", reject)
      }
    )
    sent.on("error", reject)
  })

export const ask = (host: string, path?: string) =>
  Effect.gen(function* () {
    const { address } = yield* Gateway.Gateway
    return yield* Effect.promise(() => request(address.port, host, path === undefined ? {} : { path }))
  })

/** Constant load until `end`; failures are everything but 200. */
export const startLoad = Effect.fn("startLoad")(function* (host: string, perSecond: number) {
  const { address } = yield* Gateway.Gateway
  const agent = new http.Agent({ keepAlive: true })
  const failures: Array<string> = []
  const versions = new Map<string, number>()
  let sent = 0
  let slowestMs = 0
  const open = new Set<Promise<void>>()
  const one = async () => {
    sent += 1
    const startedAt = performance.now()
    try {
      const answer = await request(address.port, host, { agent })
      if (answer.status === 200) {
        const { version } = JSON.parse(answer.body) as { version: string }
        versions.set(version, (versions.get(version) ?? 0) + 1)
      } else {
        failures.push(`${answer.status} ${answer.body}`)
      }
    } catch (error) {
      failures.push(String(error))
    }
    slowestMs = Math.max(slowestMs, performance.now() - startedAt)
  }
  const startedAt = performance.now()
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond)
    for (let count = due - sent; count > 0; count -= 1) {
      const promise = one()
      open.add(promise)
      void promise.finally(() => open.delete(promise))
    }
  }, 5)
  yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(timer)))
  return {
    versions,
    failures,
    end: Effect.promise(async () => {
      clearInterval(timer)
      await Promise.all(open)
      agent.destroy()
      return { sent, failures, versions, slowestMs }
    })
  }
})
