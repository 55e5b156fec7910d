/**
 * Where runs of the prune matrix take place, one after the other, each with a project of its own: agents on one data directory,
 * a cluster, a Starbase that the test scripts, and what must hold at every write.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { DesiredApp, Tombstone } from "@starform/domain/desired/DesiredState"
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"
import { inventoryReference } from "@starform/shuttle/inventory/Inventory"
import { objectPath, type ResourceKind, waveOf } from "@starform/shuttle/kubernetes/ResourceKind"
import { assert } from "@effect/vitest"
import { Clock, Duration, Effect, FileSystem, Redacted, type Scope } from "effect"
import {
  agent,
  cluster,
  clusterId,
  collections,
  type DocumentGates,
  starbase,
  temporaryFolder,
  type WireObject
} from "./AgentHarness.ts"
import { isKubernetesOwn } from "./ClusterUnderTest.ts"
import { type Answer, type Death, fatalLine, type Write } from "./FatalLine.ts"

/** Whole passes follow each other quickly, so that what a pass does not do is known soon. */
const pace = {
  reconcileInterval: Duration.millis(250),
  projectRetryFirst: Duration.millis(10),
  projectRetryMax: Duration.millis(80),
  snapshotInterval: Duration.hours(1),
  capacityInterval: Duration.hours(1)
}

const withinMs = 15_000

const appIdAnnotation = "starform.io/app-id"
export const managedLabel = { "starform.io/managed-by": "shuttle" }

interface Fields {
  readonly managedFields?: ReadonlyArray<{ readonly manager: string; readonly operation: string }>
  readonly deletionTimestamp?: string
}
const fieldsOf = (object: WireObject) => object.metadata as WireObject["metadata"] & Fields

/** By the letter of INV-INV-3, without asking the agent. */
const isOurs = (object: WireObject): boolean =>
  object.metadata.labels?.["starform.io/managed-by"] === "shuttle" &&
  fieldsOf(object).managedFields?.some(
    ({ manager, operation }) => manager === "starform-shuttle" && operation === "Apply"
  ) === true

interface Entry {
  readonly kind: ResourceKind
  readonly name: string
  readonly appId: string | null
}
const entriesOf = (data: WireObject["data"]): ReadonlyArray<Entry> =>
  JSON.parse(data?.["inventory.json"] ?? "[]") as ReadonlyArray<Entry>

/** Which agent dies: the one that runs in the test's process, or one in a process of its own, by SIGKILL. */
export type Life = "scope" | "process"

export interface Lot {
  readonly death: Omit<Death, "end"> | null
  readonly life: Life
}

interface Running {
  readonly stop: Effect.Effect<void>
  readonly kill: () => void
  /** Newest start of a whole pass of every project; `null` when it cannot be told. */
  readonly passedAtMs: Effect.Effect<number | null>
}

export const pruneWorld = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const world = yield* cluster
  const base = yield* starbase
  const line = yield* fatalLine(world.url)
  const faults: Array<string> = []
  /** Path → the app that it is of, or `null`. */
  let mayGo: ReadonlyMap<string, string | null> = new Map()
  /** Of the same paths. */
  let waves: ReadonlyMap<string, number> = new Map()
  const foreign = new Set<string>()
  const foreignUids = new Set<string>()
  /** Paths that this life of the agent read and did not find, and did not write since. */
  let foundGone = new Set<string>()
  const letPass = (): Effect.Effect<Answer | null> => Effect.succeed(null)
  let interfere: (write: Write) => Effect.Effect<Answer | null> = letPass
  let lot: Lot = { life: "scope", death: null }
  let reportsBefore = 0
  let deaths = 0
  let revision: string | null = null

  const peek = (path: string) => Effect.map(world.peek(path), (object) => object as WireObject | null)

  const isToldAbsent = (appId: string | null) =>
    appId !== null && base.statuses.get(appId)?.phase === "absent"

  const checkDelete = Effect.fnUntraced(function* ({ body, path }: Write) {
    const appId = mayGo.get(path)
    if (appId === undefined) return void faults.push(`deleted ${path}, which nothing retired`)
    const { preconditions } = JSON.parse(body) as { preconditions?: { uid?: string } }
    const uid = preconditions?.uid
    if (uid === undefined || foreignUids.has(uid)) faults.push(`deleted ${path} as ${uid}`)
    if (isToldAbsent(appId)) faults.push(`deleted ${path} after its app was told absent`)
    const wave = waves.get(path) ?? 0
    for (const [other, owner] of mayGo) {
      if (owner !== appId || (waves.get(other) ?? 0) <= wave) continue
      const object = yield* peek(other)
      if (object !== null && isOurs(object) && fieldsOf(object).deletionTimestamp === undefined)
        faults.push(`deleted ${path} before ${other}`)
    }
  })

  const checkInventory = Effect.fnUntraced(function* ({ body, path }: Write) {
    /** Of the agent that sent it, which may be dead before the looks below have ended. */
    const looked = foundGone
    const namespace = path.split("/")[4] ?? ""
    const stored = yield* peek(path)
    const next = entriesOf((JSON.parse(body) as WireObject).data)
    const kept = new Set(next.map(({ kind, name }) => `${kind}/${name}`))
    for (const { appId, kind, name } of entriesOf(stored?.data)) {
      if (kept.has(`${kind}/${name}`)) continue
      const entryPath = objectPath({ kind, namespace, name })
      const object = yield* peek(entryPath)
      if (object !== null && isOurs(object)) faults.push(`forgot ${entryPath}, which is there`)
      if (object === null && !looked.has(entryPath)) faults.push(`forgot ${entryPath} without looking`)
      if (isToldAbsent(appId)) faults.push(`forgot ${entryPath} after its app was told absent`)
    }
  })

  line.onRead = (path, { status }) => {
    if (status === 404) foundGone.add(path)
    else foundGone.delete(path)
  }
  line.onWrite = async (write) => {
    foundGone.delete(write.path)
    if (foreign.has(write.path) && write.method !== "DELETE") faults.push(`wrote ${write.path}`)
    if (write.method === "DELETE") await runPromise(checkDelete(write))
    if (write.path.endsWith("/configmaps/starform-inventory")) {
      if (write.method === "DELETE") faults.push("deleted an inventory")
      else await runPromise(checkInventory(write))
    }
    return runPromise(interfere(write))
  }

  const runPromise = Effect.runPromiseWith(yield* Effect.context())
  const services = yield* Effect.context<FileSystem.FileSystem | Scope.Scope>()
  const startScope = Effect.map(
    agent(base.url, line.url, folder, pace).pipe(Effect.orDie, Effect.provideContext(services)),
    ({ stop, tasks }): Running => ({
      stop,
      kill: () => {},
      passedAtMs: Effect.map(tasks, (states) =>
        [...states.values()].some(({ startedAtMs }) => startedAtMs === null)
          ? null
          : Math.min(
              Number.MAX_SAFE_INTEGER,
              ...Array.from(states.values(), (state) => state.startedAtMs ?? 0)
            )
      )
    })
  )
  const startProcess = Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const kubeconfig = `${folder}/kubeconfig`
    yield* fs.writeFileString(`${folder}/token`, "agent-token")
    yield* fs.writeFileString(
      kubeconfig,
      JSON.stringify({
        "current-context": "line",
        contexts: [{ name: "line", context: { cluster: "line", user: "line" } }],
        clusters: [{ name: "line", cluster: { server: line.url } }],
        users: [{ name: "line", user: { token: Redacted.value(KubernetesServer.testToken) } }]
      })
    )
    const main = fileURLToPath(new URL("../../../../packages/shuttle/src/main.ts", import.meta.url))
    const child = spawn(process.execPath, [main], {
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        STARFORM_STARBASE_URL: base.url,
        STARFORM_CLUSTER_ID: clusterId,
        STARFORM_REGION: "test",
        STARFORM_AUTH_TOKEN_FILE: `${folder}/token`,
        STARFORM_DATA_DIRECTORY: folder,
        STARFORM_STATE_KEY_FILE: `${folder}/state.key`,
        STARFORM_KUBECONFIG: kubeconfig,
        STARFORM_METRICS_ADDR: "127.0.0.1:0",
        STARFORM_RECONCILE_INTERVAL: "80ms",
        STARFORM_LOG_LEVEL: "error"
      }
    })
    const ended = once(child, "exit")
    const stop = Effect.promise(async () => {
      child.kill("SIGKILL")
      await ended
    })
    yield* Effect.addFinalizer(() => stop)
    return { stop, kill: () => void child.kill("SIGKILL"), passedAtMs: Effect.succeed(null) }
  }).pipe(Effect.orDie, Effect.provideContext(services))

  let running: Running = yield* startScope

  const rebirth = Effect.gen(function* () {
    deaths += 1
    yield* running.stop
    foundGone = new Set()
    line.revive()
    base.isDown = false
    reportsBefore = base.reports.length
    running = yield* startScope
  })

  /** Until it is so, whichever agent makes it so. */
  const reach = (what: string, goal: Effect.Effect<boolean>) =>
    Effect.gen(function* () {
      const deadline = (yield* Clock.currentTimeMillis) + withinMs
      while (true) {
        if (line.isDead()) yield* rebirth
        if (yield* goal) return
        if ((yield* Clock.currentTimeMillis) > deadline) {
          const told = [...base.statuses.values()].map(({ phase, reason }) => [phase, reason])
          return yield* Effect.die(new Error(`${what}: not reached; ${JSON.stringify({ faults, told })}`))
        }
        yield* Effect.sleep(8)
      }
    })

  /** A whole pass over every project was begun and ended by one agent after it had taken the newest document. */
  const passed = Effect.suspend(() => {
    let since: { readonly life: number; readonly ms: number } | null = null
    const goal = Effect.gen(function* () {
      const isHeld = base.reports.slice(reportsBefore).some((report) => report.revision === revision)
      if (!isHeld) return false
      const ms = yield* Clock.currentTimeMillis
      if (since?.life !== deaths) since = { life: deaths, ms }
      const at = yield* running.passedAtMs
      return at !== null && at > since.ms
    })
    return reach("a whole pass", goal)
  })

  const want = (
    apps: ReadonlyArray<DesiredApp>,
    tombstones: ReadonlyArray<Tombstone> = [],
    gates: DocumentGates = {}
  ) => {
    base.want(apps, tombstones, gates)
    revision = base.revision()
  }

  const found = (apps: ReadonlyArray<DesiredApp>) =>
    Effect.map(
      Effect.forEach([...new Set(apps.flatMap(({ namespace }) => collections(namespace)))], (collection) =>
        Effect.map(world.peekAll(collection), (objects) =>
          (objects as ReadonlyArray<WireObject>)
            .map((object) => [`${collection}/${object.metadata.name}`, object] as const)
            .filter(([path]) => !isKubernetesOwn(path))
        )
      ),
      (all) => new Map<string, WireObject>(all.flat())
    )

  /** Its text; empty while there is none. */
  const inventory = (namespace: string) =>
    Effect.map(
      peek(objectPath(inventoryReference(namespace))),
      (object) => object?.data?.["inventory.json"] ?? ""
    )

  return {
    ...world,
    inventory,
    base,
    line,
    faults,
    want,
    reach,
    passed,
    found,
    deaths: () => deaths,
    /** The agent of the run before goes on into this one. */
    begin: (next: Lot) => {
      lot = next
      faults.length = 0
      deaths = 0
      mayGo = new Map()
      interfere = letPass
    },
    /** Now, between two writes. */
    die: Effect.suspend(() => {
      line.die()
      return rebirth
    }),
    /** From here on the agent is in danger. */
    arm: Effect.gen(function* () {
      if (lot.life === "process") {
        yield* running.stop
        foundGone = new Set()
        running = yield* startProcess
      }
      line.arm({
        isLast: () => false,
        moment: "before",
        ...lot.death,
        end: () => {
          running.kill()
          base.isDown = true
        }
      })
    }),
    /** These, and nothing else, may be deleted from now on. */
    allow: (objects: ReadonlyMap<string, WireObject>, appIds: ReadonlyArray<string | null>) => {
      const isAllowed = ([path, { metadata }]: readonly [string, WireObject]) => {
        const owner = metadata.annotations?.[appIdAnnotation] ?? null
        const isGroup = path.includes("/secrets/vg-")
        return (
          !foreign.has(path) && (owner === null ? isGroup && appIds.includes(null) : appIds.includes(owner))
        )
      }
      const allowed = [...objects].filter(isAllowed)
      mayGo = new Map(
        allowed.map(([path, { metadata }]) => [path, metadata.annotations?.[appIdAnnotation] ?? null])
      )
      waves = new Map(allowed.map(([path]) => [path, waveOf(kindOf(path))]))
      return new Set(mayGo.keys())
    },
    /** Objects that others made, or took; no write of the agent may name them. */
    makeForeign: (path: string, object: WireObject) => {
      foreign.add(path)
      foreignUids.add(object.metadata.uid)
    },
    /** Answers writes, or does something, before the server hears of them. */
    interfere: (by: typeof interfere) => void (interfere = by),
    told: (appId: string) => base.statuses.get(appId)
  }
})

export type PruneWorld = Effect.Success<typeof pruneWorld>

const kinds: Readonly<Record<string, ResourceKind>> = {
  secrets: "Secret",
  configmaps: "ConfigMap",
  deployments: "Deployment",
  cronjobs: "CronJob",
  services: "Service",
  horizontalpodautoscalers: "HorizontalPodAutoscaler",
  poddisruptionbudgets: "PodDisruptionBudget",
  httproutes: "HTTPRoute"
}

const kindOf = (path: string): ResourceKind => {
  const kind = kinds[path.split("/").at(-2) ?? ""]
  if (kind === undefined) throw new Error(`no kind for ${path}`)
  return kind
}

/** Exactly these are there, and nothing went wrong on the way. */
export const assertExactly = (
  world: PruneWorld,
  found: ReadonlyMap<string, WireObject>,
  wanted: Iterable<string>
): void => {
  assert.strictEqual(world.faults.join("\n"), "")
  assert.deepStrictEqual([...found.keys()].sort(), [...wanted].sort())
}
