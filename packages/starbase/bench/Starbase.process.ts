/**
 * Starbase whole, with builds that end at once, and what a benchmark does inside it through its entities. Arguments: the
 * database's URL, the port, the data folder, the master key.
 */
import { randomUUID } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { Effect, Layer, ManagedRuntime, Metric, Redacted, References } from "effect"
import { Digest, ImageReference } from "@starform/domain/ids/Digest"
import { DeployId, RequestId } from "@starform/domain/ids/Ids"
import { Slug } from "@starform/domain/ids/Slug"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import { pullsParked } from "@starform/starbase/metrics/StarbaseMetrics"
import { hash } from "@starform/starbase/security/Token"
import * as Starbase from "@starform/starbase/Starbase"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"
import { serve } from "../../../bench/program.ts"
import * as Specimens from "../test/entities/Specimens.ts"
import { freePort } from "../test/harness/FreePort.ts"
import * as ScriptedBuilder from "../test/harness/ScriptedBuilder.ts"
import { clusterIdOf, tokenOf } from "./agents.ts"

const [, , databaseUrl = "", port = "", dataDirectory = "", masterKey = ""] = process.argv

const settings = StarbaseConfig.layerTest({
  databaseUrl: Redacted.make(databaseUrl),
  databaseConnectionsMax: 16,
  port: Number(port),
  runnerPort: await Effect.runPromise(freePort),
  masterKey: Redacted.make(masterKey),
  dataDirectory,
  socketDirectory: dataDirectory,
  publicUrl: `http://127.0.0.1:${port}`,
  entitiesMax: 20_000,
  requestsMax: 15_000
})

const builder = ScriptedBuilder.layer(() => {
  const digest = Digest.make(`sha256:${"0".repeat(64)}`)
  return Effect.succeed({
    digest,
    image: ImageReference.make(`local/app@${digest}`),
    processes: [{ name: Specimens.web, command: ["node", "server.js"] }],
    healthPath: null,
    durations: { queuedMs: 0, sourceMs: 0, installMs: 0, buildMs: 0, packageMs: 0, totalMs: 0 }
  })
})

const runtime = ManagedRuntime.make(
  Starbase.layer(builder).pipe(
    Layer.provideMerge(settings),
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "Error"))
  )
)

const appsPerCluster = 5

const entryOf = (cluster: number, app: number, ordinal: number) =>
  Specimens.desiredEntry(cluster * appsPerCluster + app, ordinal)

const put = (cluster: number, app: number, ordinal: number) =>
  Effect.gen(function* () {
    const clients = yield* EntityClients
    yield* clients.cluster(clusterIdOf(cluster), (entity) =>
      entity.PutDesired({
        ...Specimens.request(`put-${app}-${ordinal}`),
        entry: entryOf(cluster, app, ordinal)
      })
    )
  })

/** Clusters `from` to `to`, each with an agent and five apps. */
const register = ({ from, to }: { readonly from: number; readonly to: number }) =>
  Effect.forEach(
    Array.from({ length: to - from }, (_, n) => from + n),
    (n) =>
      Effect.gen(function* () {
        const clients = yield* EntityClients
        yield* clients.cluster(clusterIdOf(n), (entity) =>
          entity.RegisterCluster({
            ...Specimens.request("register"),
            registration: {
              clusterId: clusterIdOf(n),
              name: Slug.make(`cluster-${n}`),
              region: "here",
              agentTokenHash: hash(Redacted.make(tokenOf(n)))
            },
            epoch: "e0000000"
          })
        )
        for (let app = 0; app < appsPerCluster; app++) yield* put(n, app, 1)
      }),
    { concurrency: 64, discard: true }
  )

const wallclock = () => performance.timeOrigin + performance.now()

/** New revisions one after another; answers when each was asked for and when it was acknowledged. */
const revise = async (asked: {
  readonly clusters: ReadonlyArray<number>
  readonly ordinal: number
  readonly spacingMs: number
}) => {
  const times: Array<{
    readonly cluster: number
    readonly askedMs: number
    readonly acknowledgedMs: number
  }> = []
  for (const cluster of asked.clusters) {
    const askedMs = wallclock()
    await runtime.runPromise(put(cluster, 0, asked.ordinal))
    times.push({ cluster, askedMs, acknowledgedMs: wallclock() })
    await sleep(asked.spacingMs)
  }
  return times
}

const appsPerTenant = 4

/** Apps `tenant × appsPerTenant …` of a tenant, deployed to a cluster that has no agent here. */
const createTenants = ({ tenants }: { readonly tenants: number }) =>
  Effect.forEach(
    Array.from({ length: tenants * appsPerTenant }, (_, n) => Specimens.identity(1_000_000 + n)),
    (identity) =>
      Effect.gen(function* () {
        const clients = yield* EntityClients
        yield* clients.app(identity.appId, (app) =>
          app.CreateApp({ ...Specimens.request("create"), identity })
        )
      }),
    { concurrency: 16, discard: true }
  )

const acceptPush = (tenant: number, n: number) =>
  Effect.gen(function* () {
    const clients = yield* EntityClients
    const deployId = DeployId.make(randomUUID())
    const { appId } = Specimens.identity(1_000_000 + tenant * appsPerTenant + (n % appsPerTenant))
    yield* clients.app(appId, (app) =>
      app.AcceptPush({ ...Specimens.push(deployId, n), requestId: RequestId.make(deployId), detached: true })
    )
  })

/**
 * Pushes at each tenant's own rate, started when they are due whatever has become of those before; milliseconds from
 * then to the acknowledgement, per tenant, and how many were refused or failed.
 */
const push = async (asked: { readonly perSecond: ReadonlyArray<number>; readonly seconds: number }) => {
  const latencies: Array<Array<number>> = asked.perSecond.map(() => [])
  const refused: Array<number> = asked.perSecond.map(() => 0)
  const pending = new Set<Promise<void>>()
  const from = performance.now()
  const tenant = async (index: number, perSecond: number) => {
    const every = 1000 / perSecond
    // Tenants are out of step with each other.
    const first = (every * index) / asked.perSecond.length
    for (let n = 0; first + n * every < asked.seconds * 1000; n++) {
      const dueMs = from + first + n * every
      await sleep(Math.max(0, dueMs - performance.now()))
      const one = runtime
        .runPromise(Effect.exit(acceptPush(index, n)))
        .then((exit) => {
          if (exit._tag === "Success") latencies[index]!.push(performance.now() - dueMs)
          else refused[index]!++
        })
        .finally(() => pending.delete(one))
      pending.add(one)
    }
  }
  await Promise.all(asked.perSecond.map((perSecond, index) => tenant(index, perSecond)))
  await Promise.all(pending)
  return { latencies, refused }
}

await runtime.context()
serve(
  {
    register: (asked: { readonly from: number; readonly to: number }) => runtime.runPromise(register(asked)),
    revise,
    createTenants: (asked: { readonly tenants: number }) => runtime.runPromise(createTenants(asked)),
    push,
    /** Pulls that wait here now. */
    parked: () => runtime.runPromise(Effect.map(Metric.value(pullsParked), ({ value }) => value)),
    cpu: () => process.cpuUsage()
  },
  () => runtime.dispose()
)
