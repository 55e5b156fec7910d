/** One run: a seed decides everything that happens, and the invariants judge what it leaves behind. */
import type * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as Effect from "effect/Effect"
import { isTerminal } from "@starform/domain/model/Deploy"
import type { Role } from "@starform/starbase/StarbaseConfig"
import type { Chance } from "./Chance.ts"
import { hashOf } from "./Chance.ts"
import { Deployment } from "./Deployment.ts"
import { Database, makeStores, type Stores } from "./FaultyStore.ts"
import type { BuilderFaults } from "./ModelBuilder.ts"
import { GitPushes } from "./GitPushes.ts"
import * as GitRest from "./GitRest.ts"
import { ModelCluster } from "./ModelCluster.ts"
import { during } from "./Quiet.ts"
import { judge, type Outcome } from "./Judgement.ts"
import { deadlineMs, hasPendingEffects, restOf } from "./Rest.ts"
import { RunnerLocks, storage, views } from "./RunnerLocks.ts"
import * as SharedMessages from "./SharedMessages.ts"
import type { Store } from "./Store.ts"
import { Storm } from "./Storm.ts"
import { SharedFiles } from "./SharedFiles.ts"
import { agentTokenOf, clusterOf, identityOf, type Tenant, Tenants } from "./Tenants.ts"
import { Wire } from "./Wire.ts"
import { type Process, World } from "./World.ts"

/** As `ClusterRunner` sets it. */
const lockExpiryMs = 5_000

/** How long after the last fault everything should take to be at rest. */
const restMs = 300_000

/** Until the sum of all deadlines has passed for whatever was accepted last. */
const deadlinesMs = deadlineMs + 60_000

/** What a test breaks on purpose, to see that an invariant notices. */
export interface Breakage {
  readonly stores?: (stores: Stores, world: World) => Stores
  readonly files?: (files: SharedFiles) => void
  readonly locksFor?: (process: Process, store: Store) => RunnerStorage.RunnerStorage["Service"]
}

const buildersOf = (chance: Chance, storm: Storm): BuilderFaults => ({
  isAway: () => !storm.isOver && chance.is(0.05),
  courseOf: () => {
    const afterMs = chance.between(200, 8_000)
    if (storm.isOver || chance.is(0.75)) return { kind: "succeeds", afterMs }
    if (chance.is(0.6)) return { kind: "fails", afterMs }
    return chance.is(0.5) ? { kind: "hangs" } : { kind: "succeeds", afterMs: chance.between(50_000, 70_000) }
  }
})

/** Who does what. What is done by one alone waits while that one is away. */
const deploymentsOf: ReadonlyArray<ReadonlyArray<Role>> = [
  ["all", "all"],
  ["all", "all", "all"],
  ["api", "worker"],
  ["all", "worker"],
  ["api", "all", "worker"],
  ["api", "api", "worker"],
  ["api", "worker", "worker"],
  ["api", "api", "worker", "worker"]
]

const tenantsOf = (chance: Chance): ReadonlyArray<Tenant> => {
  let apps = 0
  return Array.from({ length: 2 + chance.below(2) }, (_, n) => ({
    n,
    apps: Array.from({ length: 1 + chance.below(2) }, () => identityOf(apps++, n, chance.below(2)))
  }))
}

const run = (world: World, breakage: Breakage, isPatient: boolean): Outcome => {
  const { chance } = world
  const [outside, net] = [world.process("outside"), world.process("net")]
  const storm = new Storm(world)
  const store = { process: world.process("store"), road: storm.passage }
  const latency = () => chance.between(0.1, 1)
  const wire = new Wire(net, latency)
  const stores = makeStores(store)
  const tenants = tenantsOf(chance)
  const names = new Map<string, string>([
    ...tenants.flatMap(({ apps }) => apps.map(({ appId, serviceSlug }) => [appId, serviceSlug] as const)),
    ...[0, 1].map((n) => [clusterOf(n), `cluster-${n}`] as const)
  ])
  const database = new Database(
    store,
    breakage.stores?.(stores, world) ?? stores,
    ({ type, id }) => names.get(id) ?? `${type} ${id.slice(-3)}`
  )
  const messages = SharedMessages.makeDriver(store)
  const files = new SharedFiles(store, storm)
  breakage.files?.(files)
  const locks = new RunnerLocks(lockExpiryMs)
  const skews = world.chance.fork("clocks")
  const deployment = new Deployment({
    world,
    outside,
    net,
    journeyOf: storm.journey,
    roles: chance.pick(deploymentsOf),
    builders: buildersOf(world.chance.fork("builders"), storm),
    skewOf: () => (skews.is(0.2) ? skews.between(-3_000, 3_000) : 0),
    shared: {
      database,
      wire,
      messages,
      files,
      locksFor: (process) => breakage.locksFor?.(process, store) ?? storage(locks, store, process),
      viewsFor: (process) => views(locks, store, process)
    }
  })
  const pushes = new GitPushes(outside, deployment, files.git)
  const people = new Tenants(outside, deployment, pushes)
  const pods = world.chance.fork("pods")
  const clusters = [0, 1].map(
    (n) =>
      new ModelCluster({
        clusterId: clusterOf(n),
        name: `agent-${n}`,
        token: agentTokenOf(n),
        outside,
        deployment,
        faults: {
          applyMs: () =>
            storm.isOver || pods.is(0.9) ? pods.between(200, 6_000) : pods.between(6_000, 90_000),
          isBad: ({ releaseId }) => hashOf(releaseId, world.seed) % 8 === 0,
          reportOf: () => (storm.isOver || pods.is(0.95) ? "sent" : "lost"),
          waitMs: () => pods.pick([0, 5_000, 15_000, 30_000])
        }
      })
  )
  deployment.places.forEach((place) => deployment.start(place))
  const stormMs = chance.between(8_000, 30_000)
  storm.begin({
    process: outside,
    deployment,
    clusters,
    wire,
    files,
    onLoss: (path) => {
      for (const tenant of tenants) {
        const lost = tenant.apps.find(({ projectId }) => path.includes(projectId))
        if (lost !== undefined) outside.fork(people.look(tenant, lost))
      }
    },
    lastsMs: stormMs,
    everyMs: chance.between(1_500, 12_000)
  })
  const endOfDay = world.nowMs + stormMs + chance.between(-10_000, 5_000)
  for (const n of [0, 1]) outside.fork(people.registerCluster(n))
  for (const tenant of tenants) {
    const settled = Effect.all(
      [
        people.createWorkspace(tenant),
        ...tenant.apps.flatMap((app) => [people.createProject(app), people.createApp(app)])
      ],
      {
        discard: true
      }
    )
    outside.fork(Effect.andThen(settled, people.day(tenant, endOfDay, chance.between(700, 5_000))))
  }
  world.runUntil(world.nowMs + stormMs)
  const deadline = world.nowMs + restMs
  let checkedAt = 0
  const running = (appId: string) =>
    clusters.map((cluster) => cluster.running(appId)).find((found) => found !== null) ?? null
  const isOver = () => {
    const isBusy = people.open > 0 || pushes.open > 0
    if (world.nowMs < endOfDay || isBusy || world.nowMs - checkedAt < 1_000) return false
    checkedAt = world.nowMs
    if (hasPendingEffects(database)) return false
    const { histories, isAtRest } = restOf(database, running)
    return isAtRest && GitRest.waits(histories, files, pushes.commits).length === 0
  }
  world.runUntil(deadline, isOver)
  let late: ReadonlyArray<string> = []
  if (world.nowMs >= deadline) {
    for (const what of SharedMessages.unanswered(messages)) world.note("messages", what)
    late = restOf(database, running).pushes.flatMap(({ deployId, phase }) =>
      isTerminal(phase) ? [] : [`${deployId} is ${phase}`]
    )
    for (const what of late) world.note("watch", `${what} long after the storm`)
    if (late.length > 0 && isPatient) world.runUntil(deadline + deadlinesMs, isOver)
  }
  const rest = restOf(database, running)
  const isAtRest = isPatient || late.length === 0
  return {
    seed: world.seed,
    violations: judge(world, { database, people, clusters, files, pushes, rest, isAtRest }),
    trace: world.trace,
    traceHash: world.traceHash,
    late,
    tasks: world.tasksRun,
    virtualMs: world.nowMs - world.startMs
  }
}

/**
 * @param isPatient whether a run with a late deploy goes on until the watch has ended it: half an hour of virtual time,
 * and many seconds of real time
 */
export const simulate = (seed: number, breakage: Breakage = {}, isPatient = true): Outcome => {
  const world = new World(seed)
  return during(world, () => run(world, breakage, isPatient))
}
