/** A whole agent between a Starbase that the test scripts and a real API server, over real HTTP on loopback. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeServices from "@effect/platform-node/NodeServices"
import {
  type DeltaState,
  type DesiredApp,
  DesiredState,
  type FullState,
  type Tombstone,
  format
} from "@starform/domain/desired/DesiredState"
import { appHashInput, documentHashInput } from "@starform/domain/desired/DocumentHash"
import * as AppId from "@starform/domain/ids/AppId"
import { CommitSha, Digest, ImageReference } from "@starform/domain/ids/Digest"
import {
  BuildId,
  ClusterId,
  DeployId,
  ProjectId,
  ReleaseId,
  ServiceId,
  WorkspaceId
} from "@starform/domain/ids/Ids"
import * as Revision from "@starform/domain/ids/Revision"
import { EnvironmentName, Hostname, NamespaceName, ProcessName, Slug } from "@starform/domain/ids/Slug"
import { CapacityReport } from "@starform/domain/observed/CapacityReport"
import { type PodSnapshot, SnapshotBatch } from "@starform/domain/observed/PodSnapshot"
import { type ObservedApp, StatusReport } from "@starform/domain/observed/ObservedApp"
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"
import * as KubernetesConnection from "@starform/shuttle/kubernetes/KubernetesConnection"
import * as Reconciler from "@starform/shuttle/reconcile/Reconciler"
import * as Shuttle from "@starform/shuttle/Shuttle"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import {
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  FileSystem,
  Layer,
  Redacted,
  References,
  Schema,
  Scope
} from "effect"
import { createHash, randomUUID } from "node:crypto"
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  request as httpRequest,
  type Server,
  type ServerResponse
} from "node:http"
import type { AddressInfo } from "node:net"
import { type Access, accessOf, allows, type Grant, refusal, shuttleGrants } from "../infra/ShuttleAccess.ts"
import { isKubernetesOwn, isReal, server } from "./ClusterUnderTest.ts"

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")

export const clusterId = ClusterId.make("c1c1c1c1-0000-4000-8000-000000000001")

/** An app of a project of its own, or of `sibling`'s. */
export const newApp = (sibling?: DesiredApp): DesiredApp => {
  const projectId = sibling?.projectId ?? ProjectId.make(randomUUID())
  const serviceId = ServiceId.make(randomUUID())
  const environment = EnvironmentName.make("production")
  const slug = Slug.make(`p${projectId.slice(0, 6)}`)
  const deployId = DeployId.make(randomUUID())
  return {
    appId: AppId.format({ projectId, environment, serviceId }),
    workspaceId: WorkspaceId.make("00000000-0000-4000-8000-0000000000aa"),
    workspaceSlug: Slug.make("acme"),
    projectId,
    projectSlug: slug,
    environment,
    serviceId,
    serviceName: Slug.make(`s${serviceId.slice(0, 6)}`),
    serviceType: "web",
    namespace: NamespaceName.make(`proj-${slug}`),
    deployId,
    ordinal: 1,
    releaseId: ReleaseId.make(randomUUID()),
    image: ImageReference.make(`launchpad.local/acme/api@sha256:${sha256(deployId)}`),
    provenance: {
      buildId: BuildId.make(deployId),
      gitSha: CommitSha.make(sha256(deployId).slice(0, 40)),
      gitRef: "refs/heads/main",
      gitRepo: "git.example.com/acme/shop/api"
    },
    deployedAt: "2026-01-02T03:04:05.000Z",
    deployedBy: "token:t1",
    tier: "nova",
    processes: [
      {
        name: ProcessName.make("web"),
        command: ["node", "server.js"],
        replicas: 1,
        containerPort: 8080,
        cpuMillicores: 250,
        memoryMebibytes: 512
      }
    ],
    variables: [],
    hostnames: [Hostname.make(`${slug}.example.com`)],
    healthPath: null,
    startupSeconds: 60,
    restartNonce: "1"
  }
}

export const nextDeploy = (app: DesiredApp, changes: Partial<DesiredApp> = {}): DesiredApp => {
  const deployId = DeployId.make(randomUUID())
  const image = ImageReference.make(`launchpad.local/acme/api@sha256:${sha256(deployId)}`)
  return {
    ...app,
    deployId,
    ordinal: app.ordinal + 1,
    releaseId: ReleaseId.make(randomUUID()),
    image,
    ...changes
  }
}

export const tombstoneOf = (app: DesiredApp): Tombstone => ({
  appId: app.appId,
  projectId: app.projectId,
  namespace: app.namespace,
  ordinal: app.ordinal + 1
})

const listen = (server: Server): Promise<string> =>
  new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  )

export const scopedServer = (server: Server) =>
  Effect.acquireRelease(
    Effect.promise(() => listen(server)),
    () =>
      Effect.promise(async () => {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      })
  )

const encodeDocument = Schema.encodeSync(DesiredState)
const decodeReport = Schema.decodeUnknownSync(StatusReport)
const decodeBatch = Schema.decodeUnknownSync(SnapshotBatch)
const decodeCapacity = Schema.decodeUnknownSync(CapacityReport)

/** What a document says of pruning; by default that everything may be, in the first epoch. */
export interface DocumentGates extends Partial<Pick<FullState, "massPruneConfirmed" | "epochConfirmed">> {
  readonly epoch?: string
}

export interface Starbase {
  readonly url: string
  /** When each document was answered, by its number; milliseconds. */
  readonly answeredAt: Map<number, number>
  readonly reports: Array<StatusReport>
  /** As they arrived, whether they were stored before or not. */
  readonly snapshots: Array<PodSnapshot>
  readonly capacities: Array<CapacityReport>
  /** Newest status of each app. */
  readonly statuses: Map<string, ObservedApp>
  /** Makes this the desired state; a waiting pull gets it at once. */
  readonly want: (
    apps: ReadonlyArray<DesiredApp>,
    tombstones?: ReadonlyArray<Tombstone>,
    gates?: DocumentGates
  ) => void
  /** Of the document that is desired now; `null` before the first. */
  readonly revision: () => string | null
  /** Of every document from now on. */
  lbSizeUnits: number
  isDown: boolean
}

const hashes = new WeakMap<DesiredApp, string>()

const hashOf = (app: DesiredApp): string => {
  const hash = hashes.get(app) ?? sha256(appHashInput(app))
  hashes.set(app, hash)
  return hash
}

/** What changed from one document to the next. */
const deltaOf = ({ apps, ...document }: FullState, base: FullState): DeltaState => {
  const before = new Set(base.apps)
  return { ...document, kind: "delta", base: base.revision, changed: apps.filter((app) => !before.has(app)) }
}

/** Whether everything that left has a tombstone, in the same epoch: else no delta leads from one to the other. */
const hasDelta = (document: FullState, base: FullState): boolean => {
  const named = new Set([...document.apps, ...document.tombstones].map(({ appId }) => appId))
  const isSameEpoch = Revision.parse(document.revision).epoch === Revision.parse(base.revision).epoch
  return isSameEpoch && base.apps.every(({ appId }) => named.has(appId))
}

/** Speaks the agent's contract: a blocking pull, answered with what changed where the agent holds the last document, and reports. */
export const starbase: Effect.Effect<Starbase, never, Scope.Scope> = Effect.gen(function* () {
  let document: FullState | null = null
  let before: FullState | null = null
  let n = 0
  const waiting = new Set<() => void>()
  const self: { -readonly [K in keyof Starbase]: Starbase[K] } = {
    url: "",
    answeredAt: new Map(),
    reports: [],
    snapshots: [],
    capacities: [],
    statuses: new Map(),
    isDown: false,
    revision: () => document?.revision ?? null,
    lbSizeUnits: 1,
    want: (apps, tombstones = [], { epoch = "00000001", ...gates } = {}) => {
      n += 1
      const hashed = apps.map((app) => [app.appId, hashOf(app)] as const)
      const clusterConfig = { lbSizeUnits: self.lbSizeUnits }
      before = document
      document = {
        kind: "full",
        format,
        clusterId,
        revision: Revision.format({ epoch, n }),
        hash: Digest.make(`sha256:${sha256(documentHashInput(hashed, tombstones, clusterConfig))}`),
        clusterConfig,
        apps,
        tombstones,
        massPruneConfirmed: false,
        epochConfirmed: true,
        ...gates
      }
      for (const wake of waiting) wake()
    }
  }
  const answer = (headers: IncomingHttpHeaders, response: ServerResponse): boolean => {
    const known = headers["if-none-match"]
    if (document === null || known === `"${document.revision}"`) return false
    self.answeredAt.set(Revision.parse(document.revision).n, performance.now())
    response.writeHead(200, { "content-type": "application/json" })
    const base = before
    const isNext = base !== null && known === `"${base.revision}"` && headers["accept-delta"] !== "no"
    const isDelta = isNext && hasDelta(document, base)
    response.end(JSON.stringify(encodeDocument(isDelta ? deltaOf(document, base) : document)))
    return true
  }
  const server = createServer((request, response) => {
    let body = ""
    request.on("data", (chunk: Buffer) => (body += chunk.toString("utf8")))
    request.on("end", () => {
      if (self.isDown) return void response.socket?.destroy()
      if (request.url?.endsWith("/snapshots")) {
        const { snapshots } = decodeBatch(JSON.parse(body))
        self.snapshots.push(...snapshots)
        return void response.end(JSON.stringify({ stored: snapshots.length, repeated: 0, refused: 0 }))
      }
      if (request.url?.endsWith("/capacity")) {
        self.capacities.push(decodeCapacity(JSON.parse(body)))
        return void response.writeHead(204).end()
      }
      if (request.method === "POST") {
        const report = decodeReport(JSON.parse(body))
        self.reports.push(report)
        for (const status of report.apps) self.statuses.set(status.appId, status)
        return void response.writeHead(204).end()
      }
      const { headers } = request
      if (answer(headers, response)) return
      const wake = () => {
        if (answer(headers, response)) waiting.delete(wake)
      }
      waiting.add(wake)
      response.on("close", () => waiting.delete(wake))
    })
  })
  self.url = yield* scopedServer(server)
  return self
})

export interface CountingProxy {
  readonly url: string
  /** `<method> <path>` of every request that can change something. */
  readonly writes: Array<{ readonly line: string; readonly at: number }>
  readonly watches: Array<string>
  /** Every request for a resource. */
  readonly asked: Array<Access>
  /** Requests that the rights of infra/kubernetes do not cover; each was answered with 403. */
  readonly refused: Array<string>
  /** Other rights than Shuttle's own from now on. */
  readonly allow: (grants: ReadonlyArray<Grant>) => void
  /** Status of every answer, by its line. */
  readonly answers: Array<{ readonly line: string; readonly status: number }>
  /** Cuts every connection through it. */
  readonly cut: () => void
}

const forbid = (answer: ServerResponse, message: string): void => {
  answer.writeHead(403, { "content-type": "application/json" })
  answer.end(
    JSON.stringify({
      kind: "Status",
      apiVersion: "v1",
      status: "Failure",
      reason: "Forbidden",
      code: 403,
      message
    })
  )
}

/**
 * Between the agent and an API server or Starbase: sees every request and can cut the line.
 *
 * @param rights lets through what they cover alone: what infra/kubernetes allows Shuttle in a real cluster. `null`: all
 */
export const countingProxy = (
  target: string,
  rights: ReadonlyArray<Grant> | null
): Effect.Effect<CountingProxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const writes: CountingProxy["writes"] = []
    const watches: Array<string> = []
    const asked: CountingProxy["asked"] = []
    const refused: CountingProxy["refused"] = []
    const answers: CountingProxy["answers"] = []
    let grants = rights
    yield* Effect.addFinalizer(() =>
      grants === shuttleGrants && refused.length > 0
        ? Effect.die(
            new Error(`Shuttle asked for more than it is allowed:\n${[...new Set(refused)].join("\n")}`)
          )
        : Effect.void
    )
    /** True when it was refused. */
    const refuses = (access: Access): boolean => {
      asked.push(access)
      if (grants === null || allows(grants, access)) return false
      refused.push(refusal(access))
      return true
    }
    const agent = new Agent({ keepAlive: true })
    const server = createServer((incoming, outgoing) => {
      const { headers, method = "GET", url = "/" } = incoming
      if (method !== "GET") writes.push({ line: `${method} ${url.split("?")[0]}`, at: performance.now() })
      if (url.includes("watch=")) watches.push(url)
      const access = accessOf(method, url)
      if (access !== null && refuses(access)) return forbid(outgoing, refusal(access))
      const forwarded = httpRequest(`${target}${url}`, { method, headers, agent }, (answer) => {
        // A real server asks for this right before it lets an apply make an object.
        if (answer.statusCode === 201 && access !== null) refuses({ ...access, verb: "create" })
        answers.push({ line: `${method} ${url.split("?")[0]}`, status: answer.statusCode ?? 502 })
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      })
      forwarded.on("error", () => outgoing.destroy())
      outgoing.on("close", () => forwarded.destroy())
      incoming.pipe(forwarded)
    })
    const url = yield* scopedServer(server)
    yield* Effect.addFinalizer(() => Effect.sync(() => agent.destroy()))
    const allow: CountingProxy["allow"] = (other) => void (grants = other)
    return {
      url,
      writes,
      watches,
      asked,
      refused,
      answers,
      allow,
      cut: () => server.closeAllConnections()
    }
  })

export interface WireObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly resourceVersion: string
    readonly generation?: number
    readonly managedFields?: ReadonlyArray<{
      readonly manager: string
      readonly operation: string
      readonly subresource?: string
      readonly fieldsV1: unknown
    }>
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: Readonly<Record<string, unknown>>
  readonly data?: Readonly<Record<string, string>>
}

/** A person's hands on the cluster. */
export const hands = (url: string) => {
  const call = (method: string, path: string, body?: unknown, contentType = "application/json") =>
    Effect.promise(async () => {
      const answer = await fetch(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${Redacted.value(KubernetesServer.testToken)}`,
          "content-type": contentType,
          accept: "application/json"
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
      return { status: answer.status, body: (await answer.json()) as unknown }
    })
  const list = (collection: string) =>
    Effect.map(
      call("GET", collection),
      ({ body }) => (body as { readonly items: ReadonlyArray<WireObject> }).items
    )
  return { call, list }
}

export const collections = (namespace: string): ReadonlyArray<string> => [
  `/api/v1/namespaces/${namespace}/serviceaccounts`,
  `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`,
  `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`,
  `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`,
  `/api/v1/namespaces/${namespace}/resourcequotas`,
  `/api/v1/namespaces/${namespace}/limitranges`,
  `/api/v1/namespaces/${namespace}/secrets`,
  `/api/v1/namespaces/${namespace}/configmaps`,
  `/apis/apps/v1/namespaces/${namespace}/deployments`,
  `/apis/batch/v1/namespaces/${namespace}/cronjobs`,
  `/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers`,
  `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`,
  `/api/v1/namespaces/${namespace}/services`,
  `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/httproutes`
]

/** Everything that lives in a namespace and is not Kubernetes' own, as `<path>/<name>` → object. */
export const contents = (person: ReturnType<typeof hands>, namespace: string) =>
  Effect.map(
    Effect.forEach(collections(namespace), (collection) =>
      Effect.map(person.list(collection), (items) =>
        items.map((item) => [`${collection}/${item.metadata.name}`, item] as const)
      )
    ),
    (lists) => new Map(lists.flat().filter(([path]) => !isKubernetesOwn(path)))
  )

export const cluster = Effect.gen(function* () {
  const underTest = yield* server
  const proxy = yield* countingProxy(underTest.url, shuttleGrants)
  return { ...underTest, proxy, person: hands(underTest.url) }
})

/** A cluster that makes pods; where `lacksControllers`, none is to be had. */
export const clusterWithPods = Effect.tap(cluster, ({ startControllers }) => startControllers)

/** Starts an agent; the returned effect ends it, as at the end of its process. */
export const agent = (
  starbaseUrl: string,
  kubernetesUrl: string,
  folder: string,
  overrides: Partial<ShuttleConfig.Settings> = {},
  token = "agent-token"
) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* fs.writeFileString(`${folder}/token`, token)
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
    const settings = ShuttleConfig.layerTest({
      starbaseUrl,
      clusterId,
      tokenFile: `${folder}/token`,
      dataDirectory: folder,
      stateKeyFile: `${folder}/state.key`,
      pullWait: Duration.seconds(10),
      starbaseRetryMax: Duration.millis(200),
      watchRetryFirst: Duration.millis(10),
      watchRetryMax: Duration.millis(200),
      ...overrides
    })
    const context = yield* Layer.buildWithScope(
      Shuttle.layer.pipe(
        Layer.provide([
          KubernetesConnection.layerToken(kubernetesUrl, KubernetesServer.testToken),
          NodeHttpClient.layerUndici,
          NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })
        ]),
        Layer.provide(settings),
        Layer.provide(Layer.succeed(References.MinimumLogLevel)("Error")),
        Layer.provide(NodeServices.layer)
      ),
      scope
    )
    const { tasks } = Context.get(context, Reconciler.Reconciler)
    return { stop: Scope.close(scope, Exit.void), tasks }
  })

/** A real server may be far away, and busy with others. */
const patienceMs = isReal ? 30_000 : 5000

/** Polls an effect until it gives a value; fails with what it saw last. */
export const until = <A, R>(
  look: Effect.Effect<A, never, R>,
  holds: (value: A) => boolean,
  withinMs = patienceMs
) =>
  Effect.gen(function* () {
    const deadline = (yield* Clock.currentTimeMillis) + withinMs
    while (true) {
      const value = yield* look
      if (holds(value)) return value
      if ((yield* Clock.currentTimeMillis) > deadline) {
        return yield* Effect.die(
          new Error(
            `not within ${withinMs} ms; last: ${JSON.stringify(value instanceof Map ? [...value] : value)}`
          )
        )
      }
      yield* Effect.sleep(5)
    }
  })

export const temporaryFolder = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  fs.makeTempDirectoryScoped({ prefix: "shuttle-agent-" })
)
