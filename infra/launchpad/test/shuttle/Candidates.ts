/** Several agents of one cluster, each with wires of its own to the API server and to Starbase: what each one sends is known. */
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"
import { Duration, Effect, Option, Redacted, type Scope } from "effect"
import { spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { fileURLToPath } from "node:url"
import { shuttleGrants } from "../infra/ShuttleAccess.ts"
import {
  agent,
  cluster,
  clusterId,
  countingProxy,
  type CountingProxy,
  newApp,
  nextDeploy,
  starbase,
  temporaryFolder
} from "./AgentHarness.ts"

export const lease = { namespace: "starform-system", name: "starform-shuttle" }
const leasePath = `/apis/coordination.k8s.io/v1/namespaces/${lease.namespace}/leases/${lease.name}`

/** Long enough that a busy machine costs nobody the lead, most of the time; no test depends on that. */
const times = { lease: 5, deadline: 3.5, retry: 0.5 }

export interface Candidate {
  readonly kubernetes: CountingProxy
  readonly starbase: CountingProxy
  /** Everything that it sent to change something, but the Lease itself. */
  readonly writes: () => CountingProxy["writes"]
  readonly reports: () => CountingProxy["writes"]
}

const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

export const election = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const world = yield* cluster
  const base = yield* starbase
  yield* world.person.call("POST", "/api/v1/namespaces", {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: lease.namespace }
  })
  let count = 0

  const wires = Effect.gen(function* () {
    const kubernetes = yield* countingProxy(world.url, shuttleGrants)
    const toStarbase = yield* countingProxy(base.url, null)
    const home = `${folder}/${count++}`
    mkdirSync(home)
    writeFileSync(`${home}/token`, "agent-token")
    const candidate: Candidate = {
      kubernetes,
      starbase: toStarbase,
      writes: () => kubernetes.writes.filter(({ line }) => !line.includes("/leases")),
      reports: () => toStarbase.writes
    }
    return { candidate, home }
  })

  /** In this process. */
  const inside = Effect.gen(function* () {
    const { candidate, home } = yield* wires
    const started = yield* agent(candidate.starbase.url, candidate.kubernetes.url, home, {
      leaderLease: Option.some(lease),
      leaseDuration: Duration.seconds(times.lease),
      leaseRenewDeadline: Duration.seconds(times.deadline),
      leaseRetryPeriod: Duration.seconds(times.retry),
      reconcileInterval: Duration.millis(300)
    })
    return { ...candidate, ...started }
  })

  /** As in a pod: a process of its own, which can be stopped and killed. */
  const outside = Effect.gen(function* () {
    const { candidate, home } = yield* wires
    const port = yield* freePort
    const kubeconfig = {
      "current-context": "c",
      clusters: [{ name: "c", cluster: { server: candidate.kubernetes.url } }],
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      users: [{ name: "u", user: { token: Redacted.value(KubernetesServer.testToken) } }]
    }
    writeFileSync(`${home}/kubeconfig`, JSON.stringify(kubeconfig))
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [fileURLToPath(import.meta.resolve("@starform/shuttle/main"))], {
          stdio: "ignore",
          env: {
            STARFORM_STARBASE_URL: candidate.starbase.url,
            STARFORM_CLUSTER_ID: clusterId,
            STARFORM_REGION: "test",
            STARFORM_AUTH_TOKEN_FILE: `${home}/token`,
            STARFORM_DATA_DIRECTORY: home,
            STARFORM_KUBECONFIG: `${home}/kubeconfig`,
            STARFORM_METRICS_ADDR: `127.0.0.1:${port}`,
            STARFORM_LEADER_LEASE: `${lease.namespace}/${lease.name}`,
            STARFORM_LEASE_DURATION: `${times.lease}s`,
            STARFORM_LEASE_RENEW_DEADLINE: `${times.deadline * 1000}ms`,
            STARFORM_LEASE_RETRY_PERIOD: `${times.retry * 1000}ms`,
            STARFORM_RECONCILE_INTERVAL: "300ms"
          }
        })
      ),
      (ended) => Effect.sync(() => ended.kill("SIGKILL"))
    )
    /** Status and text of one of its own pages; `null` while nobody answers, as between its port's opening and its routes'. */
    const page = (path: string) =>
      Effect.promise(() =>
        fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(1000) })
          .then(async (answer) => ({ status: answer.status, text: await answer.text() }))
          .catch(() => null)
      )
    return { ...candidate, page, signal: (signal: NodeJS.Signals) => void child.kill(signal) }
  })

  /** A new deploy every so often, so that whoever leads has something to write all the time. */
  const busy: Effect.Effect<void, never, Scope.Scope> = Effect.asVoid(
    Effect.forkScoped(
      Effect.gen(function* () {
        let app = newApp()
        while (true) {
          base.want([app])
          yield* Effect.sleep(40)
          app = nextDeploy(app)
        }
      })
    )
  )

  const holder = Effect.map(world.person.call("GET", leasePath), ({ body }) => {
    const { spec } = body as { readonly spec?: { readonly holderIdentity?: string } }
    return spec?.holderIdentity ?? null
  })

  return { ...world, base, busy, inside, outside, holder }
})

/** A right that an operator takes away, or a server that refuses renewals alone. */
export const withoutLeases = shuttleGrants.map((grant) => ({
  ...grant,
  rules: grant.rules.filter(({ resources }) => !resources.includes("leases"))
}))
