/** A node without a cluster: pods run for real, their status and events are kept in memory. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as ContainerLogs from "@starform/launchpad/runtime/ContainerLogs"
import * as ContainerUsage from "@starform/launchpad/runtime/ContainerUsage"
import * as ImageStore from "@starform/launchpad/runtime/ImageStore"
import * as KubeletConfig from "@starform/launchpad/runtime/KubeletConfig"
import * as OrphanRegister from "@starform/launchpad/runtime/OrphanRegister"
import { PodSpecification } from "@starform/launchpad/runtime/PodSpecification"
import { podWorker } from "@starform/launchpad/runtime/PodWorker"
import * as PortAllocator from "@starform/launchpad/runtime/PortAllocator"
import * as TrafficDrain from "@starform/launchpad/runtime/TrafficDrain"
import * as UserIds from "@starform/launchpad/runtime/UserIds"
import { Deferred, Duration, Effect, Fiber, Layer, Schema } from "effect"
import * as crypto from "node:crypto"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

/** Every `image` is a folder of its own below; `write` puts a node script into it. */
export const makeFolder = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "launchpad-runtime-"))
    fs.chmodSync(folder, 0o755)
    fs.mkdirSync(path.join(folder, "images"))
    return folder
  }),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
)

export const writeImage = (folder: string, name: string, script: string): void => {
  const app = path.join(folder, "images", name, "app")
  fs.mkdirSync(app, { recursive: true })
  fs.writeFileSync(path.join(app, "main.cjs"), script)
}

export const imageStore = (folder: string) =>
  Layer.succeed(ImageStore.ImageStore, {
    prepare: (image) => {
      const rootDirectory = path.join(folder, "images", image)
      return fs.existsSync(rootDirectory)
        ? Effect.succeed({
            rootDirectory,
            config: {
              entrypoint: [process.execPath],
              command: ["main.cjs"],
              environment: {},
              workingDirectory: "/app"
            }
          })
        : Effect.fail(new ImageStore.ImagePullFailed({ image, reason: "not found" }))
    }
  })

export const shortTimes = {
  crashBackOffFirst: Duration.millis(200),
  crashBackOffMax: Duration.millis(800),
  imageBackOffFirst: Duration.millis(100),
  configRetry: Duration.millis(100),
  listenCheckPeriod: Duration.millis(100),
  shutdownGrace: Duration.millis(500),
  drainMax: Duration.millis(200)
}

export const nodeServices = (folder: string, settings: Partial<KubeletConfig.KubeletSettings> = {}) =>
  Layer.mergeAll(
    ContainerLogs.layerNoDeps,
    ContainerUsage.layerNoDeps,
    OrphanRegister.layerNoDeps,
    PortAllocator.layerNoDeps,
    UserIds.layerNoDeps
  ).pipe(
    Layer.provideMerge(
      KubeletConfig.layer({ directory: path.join(folder, "node"), ...shortTimes, ...settings })
    ),
    Layer.provideMerge(NodeFileSystem.layer)
  )

export type NodeServices = Layer.Success<ReturnType<typeof nodeServices>>

export interface PodOptions {
  readonly image: string
  readonly container?: Readonly<Record<string, unknown>>
  readonly spec?: Readonly<Record<string, unknown>>
  readonly status?: unknown
}

export const podOf = (options: PodOptions) =>
  Schema.decodeUnknownSync(PodSpecification)({
    metadata: {
      name: "web-1",
      namespace: "shop",
      uid: crypto.randomUUID(),
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels: { app: "web" }
    },
    spec: {
      nodeName: "launchpad",
      terminationGracePeriodSeconds: 2,
      containers: [{ name: "app", image: options.image, ...options.container }],
      ...options.spec
    },
    ...(options.status === undefined ? {} : { status: options.status })
  })

export interface Happened {
  readonly type: string
  readonly reason: string
  readonly message: string
}

export interface SeenRun {
  readonly exitCode: number
  readonly reason: string
  readonly signal?: number
  readonly message?: string
}

export interface SeenContainer {
  readonly state: {
    readonly running?: object
    readonly waiting?: { readonly reason: string; readonly message?: string }
    readonly terminated?: SeenRun
  }
  readonly lastState: { readonly terminated?: SeenRun }
  readonly restartCount: number
  readonly started: boolean
}

export interface SeenCondition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
}

export interface SeenStatus {
  readonly phase: string
  readonly podIP: string
  readonly startTime: string
  readonly conditions: ReadonlyArray<SeenCondition>
  readonly containerStatuses: ReadonlyArray<SeenContainer>
  readonly initContainerStatuses: ReadonlyArray<SeenContainer>
}

/** Starts the pod; the result sees what the cluster would see. */
export const startPod = Effect.fn("startPod")(function* (
  folder: string,
  pod: PodSpecification,
  options: { readonly secrets?: ReadonlyMap<string, Readonly<Record<string, string>>> } = {}
) {
  const statuses: Array<SeenStatus> = []
  const events: Array<Happened> = []
  let ports: Readonly<Record<string, number>> = {}
  let removed = false
  const terminate = yield* Deferred.make<{ readonly graceSeconds: number }>()
  const fiber = yield* Effect.forkScoped(
    podWorker({
      pod,
      terminate,
      host: {
        recordPorts: (recorded) => Effect.sync(() => void (ports = recorded)),
        writeStatus: (status) => Effect.sync(() => void statuses.push(status as unknown as SeenStatus)),
        sources: () => Effect.sync(() => ({ configMaps: new Map(), secrets: options.secrets ?? new Map() })),
        event: (type, reason, message) => Effect.sync(() => void events.push({ type, reason, message })),
        removeObject: Effect.sync(() => void (removed = true))
      }
    }).pipe(Effect.provide(Layer.merge(imageStore(folder), TrafficDrain.layerNone)))
  )
  const status = (): SeenStatus | undefined => statuses.at(-1)
  const condition = (type: string): SeenCondition | undefined =>
    status()?.conditions.find((one) => one.type === type)
  return {
    uid: pod.metadata.uid,
    statuses,
    events,
    status,
    condition,
    container: (): SeenContainer | undefined => status()?.containerStatuses[0],
    ports: () => ports,
    removed: () => removed,
    end: (graceSeconds = 2) =>
      Effect.andThen(Deferred.succeed(terminate, { graceSeconds }), Fiber.join(fiber))
  }
})

/** Polls until `check` holds; after `seconds` it fails with what `state` shows. */
export const until = (what: string, check: () => boolean, state: () => unknown, seconds = 10) =>
  Effect.gen(function* () {
    const deadline = Date.now() + seconds * 1000
    while (!check()) {
      if (Date.now() > deadline) {
        return yield* Effect.die(
          new Error(`not in ${seconds} s: ${what}\n${JSON.stringify(state(), null, 1)}`)
        )
      }
      yield* Effect.sleep(10)
    }
  })

export const isAlive = (pid: number): boolean => {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8")
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z"
  } catch {
    return false
  }
}
