/**
 * INV-ACT-7 by virtual time. One seed is run again and again, once without a fault and once with each fault of one tenant;
 * nothing else goes wrong, and whatever travels takes the same time. The runs are the same until the fault begins, so
 * whatever the other tenant waits longer, it waits for that fault.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { type ClusterId, DeployId } from "@starform/domain/ids/Ids"
import { Slug } from "@starform/domain/ids/Slug"
import { isTerminal } from "@starform/domain/model/Deploy"
import type { EntityClients } from "@starform/starbase/entities/EntityClients"
import type { AppIdentity } from "@starform/starbase/entities/app/AppEntity"
import * as Specimens from "../entities/Specimens.ts"
import type { BystandersJourney } from "../invariants/Evidence.ts"
import { hashOf } from "./Chance.ts"
import { Deployment } from "./Deployment.ts"
import { Database, makeStores, type Stores } from "./FaultyStore.ts"
import type { BuilderFaults } from "./ModelBuilder.ts"
import { type ClusterFaults, ModelCluster } from "./ModelCluster.ts"
import { during } from "./Quiet.ts"
import { RunnerLocks, storage, views } from "./RunnerLocks.ts"
import { SharedFiles } from "./SharedFiles.ts"
import * as SharedMessages from "./SharedMessages.ts"
import * as TenantFaults from "./TenantFaults.ts"
import { agentTokenOf, clusterOf, hashOfToken, identityOf, workspaceOf } from "./Tenants.ts"
import { Wire } from "./Wire.ts"
import { World } from "./World.ts"

type Clients = EntityClients["Service"]

/** Two clusters: one that both tenants are on, and one of the faulty tenant alone. */
const [common, own] = [0, 1]
const [faulty, bystander] = [0, 1]
const faultyApps = [identityOf(0, faulty, common), identityOf(1, faulty, common), identityOf(2, faulty, own)]
const bystandersApps = [identityOf(3, bystander, common), identityOf(4, bystander, common)]

const isFaulty = (id: string) => faultyApps.some(({ appId }) => appId === id)

/** Milliseconds from the start of a run. Each app is pushed to in every slot; the fault begins within one of them. */
const slotMs = 4_000
const slots = 4
const slotAtMs = (slot: number) => 2_000 + slot * slotMs
const faultSlot = 1

/** Until whoever waits gives up. */
const patienceMs = 30_000

/**
 * There and back: so often more than without the fault may something of a push travel, because it meets others' effects and
 * messages at the stores. At most 80 ms in all; whoever waits for somebody's fault waits for a pause between two attempts at
 * an effect, and the shortest of those is 100 ms.
 */
const tripsMore = 10

/** Asks that an App holds, and a few more. */
const tooMany = 1_040

/** Milliseconds that a reader of a deploy waits in its App. */
const waitMs = 20_000

const untilItEnds = (deployId: DeployId) => ({ deployId, phasesSeen: Number.MAX_SAFE_INTEGER, waitMs })

const deployOf = (service: string, slot: number) =>
  DeployId.make(Specimens.deployId(hashOf(`${service} ${slot}`)))

/** What a test breaks on purpose, in every run. */
type Breaking = (stores: Stores) => Stores

interface Told {
  /** How long each push to the bystander's apps took until it was live; the first that never is ends its app's day. */
  readonly journeys: ReadonlyMap<string, number>
  /** Pushes to the faulty tenant's apps that did not become live. */
  readonly failed: number
  /** Of the agents. */
  readonly problems: ReadonlyArray<string>
  readonly latencyMs: number
}

/** What the seed decides, alike in all of its runs. */
const planOf = ({ chance }: World) => ({
  runners: 1 + chance.below(3),
  latencyMs: chance.between(0.5, 4),
  faultAtMs: slotAtMs(faultSlot) + chance.between(100, 2_000)
})

/** Runners, stores, builders and two clusters; what is wrong from the time of the fault on is the faulty tenant's alone. */
const built = (world: World, fault: TenantFaults.TenantFault | undefined, breaking: Breaking) => {
  const { runners, latencyMs, faultAtMs } = planOf(world)
  const [outside, net] = [world.process("outside"), world.process("net")]
  const passage = { there: latencyMs, back: latencyMs, fate: "answered" as const }
  const store = {
    process: world.process("store"),
    road: () => passage
  }
  const latency = () => latencyMs
  const hasFault = (kind: TenantFaults.TenantFault) =>
    fault === kind && world.nowMs >= world.startMs + faultAtMs
  const isOf = (id: string) => fault !== undefined && hasFault(fault) && isFaulty(id)
  const healthy = breaking(makeStores(store))
  /** Of a build, or a rollout. */
  const lasts = (what: string, most: number) => 200 + (hashOf(what, world.seed) % most)
  const courseOf: BuilderFaults["courseOf"] = ({ buildId, workspaceId }) => {
    const isOfFaulty = workspaceId === workspaceOf(faulty)
    if (isOfFaulty && hasFault("its builds never end")) return { kind: "hangs" }
    const kind = isOfFaulty && hasFault("its builds fail") ? "fails" : "succeeds"
    return { kind, afterMs: lasts(buildId, 800) }
  }
  const locks = new RunnerLocks(5_000)
  const deployment = new Deployment({
    world,
    outside,
    net,
    journeyOf: () => passage,
    roles: Array.from({ length: runners }, () => "all" as const),
    builders: { isAway: () => false, courseOf },
    skewOf: () => 0,
    shared: {
      database: new Database(
        store,
        fault === undefined ? healthy : TenantFaults.stores(healthy, fault, isOf),
        ({ type, id }) => `${type} ${id.slice(-3)}`
      ),
      wire: new Wire(net, latency),
      messages: SharedMessages.makeDriver(store),
      files: new SharedFiles(store, {
        disk: store.road,
        git: store.road,
        blobs: store.road,
        isFull: () => false
      }),
      locksFor: (process) => storage(locks, store, process),
      viewsFor: (process) => views(locks, store, process)
    }
  })
  deployment.places.forEach((place) => deployment.start(place))
  const faultsOf = (n: number): ClusterFaults => ({
    applyMs: ({ appId, releaseId }) =>
      isFaulty(appId) && hasFault("its pods never become available")
        ? Number.MAX_SAFE_INTEGER
        : lasts(releaseId, 1_500),
    isBad: ({ appId }) => isFaulty(appId) && hasFault("its pods crash"),
    reportOf: () => (n === own && hasFault("its cluster's agent is gone") ? "lost" : "sent"),
    waitMs: () => 30_000
  })
  const agents = [common, own].map((n) => {
    const [clusterId, token, name] = [clusterOf(n), agentTokenOf(n), `agent-${n}`]
    return new ModelCluster({ clusterId, name, token, outside, deployment, faults: faultsOf(n) })
  })
  return { outside, deployment, agents, hasFault, latencyMs, faultAtMs }
}

const run = (world: World, fault: TenantFaults.TenantFault | undefined, breaking: Breaking): Told => {
  const { outside, deployment, agents, hasFault, latencyMs, faultAtMs } = built(world, fault, breaking)

  const until = (atMs: number) => Effect.suspend(() => Effect.sleep(world.startMs + atMs - world.nowMs))

  /** Until it is answered with success, whatever it is answered before. */
  const patiently = <A, E>(ask: (clients: Clients) => Effect.Effect<A, E>) =>
    deployment
      .ask(ask)
      .pipe(Effect.retry({ schedule: Schedule.spaced(200) }), Effect.timeoutOption(patienceMs))

  const register = (n: number) => {
    const clusterId: ClusterId = clusterOf(n)
    const registration = {
      clusterId,
      name: Slug.make(`cluster-${n}`),
      region: "here",
      agentTokenHash: hashOfToken(agentTokenOf(n))
    }
    const command = { ...Specimens.request("register"), registration, epoch: `0000000${n}` }
    return patiently((clients) => clients.cluster(clusterId, (cluster) => cluster.RegisterCluster(command)))
  }

  /** Answers whether it became live. */
  const push = Effect.fnUntraced(function* ({ appId }: AppIdentity, deployId: DeployId) {
    yield* patiently((clients) => clients.app(appId, (app) => app.AcceptPush(Specimens.push(deployId))))
    const ended = yield* patiently((clients) =>
      clients
        .app(appId, (app) => app.AwaitDeploy(untilItEnds(deployId)), waitMs)
        .pipe(Effect.filterOrFail(({ phase }) => isTerminal(phase)))
    )
    return ended._tag === "Some" && ended.value.phase === "deployed"
  })

  const create = (identity: AppIdentity) =>
    patiently((clients) =>
      clients.app(identity.appId, (app) => app.CreateApp({ ...Specimens.request("create"), identity }))
    )

  const journeys = new Map<string, number>()
  let [live, going] = [0, bystandersApps.length]

  /** Its apps take turns: builds of one tenant wait for each other, and which is first is chance. */
  const bystandersDay = Effect.fnUntraced(function* (identity: AppIdentity, index: number) {
    yield* create(identity)
    for (let slot = 0; slot < slots; slot++) {
      yield* until(slotAtMs(slot) + (index * slotMs) / bystandersApps.length)
      const startedMs = world.nowMs
      if (!(yield* push(identity, deployOf(identity.serviceSlug, slot)))) break
      journeys.set(`push ${slot + 1} to ${identity.serviceSlug}`, world.nowMs - startedMs)
    }
    going--
  })

  /** It pushes whatever became of the push before. */
  const faultyDay = Effect.fnUntraced(function* (identity: AppIdentity) {
    yield* create(identity)
    for (let slot = 0; slot < slots; slot++) {
      yield* until(slotAtMs(slot))
      const pushed = push(identity, deployOf(identity.serviceSlug, slot))
      outside.fork(Effect.map(pushed, (isLive) => (live += isLive ? 1 : 0)))
    }
  })

  /** In any run the faulty tenant's apps read their journals anew then. */
  const faultBegins = Effect.fnUntraced(function* ({ appId, serviceSlug }: AppIdentity) {
    yield* until(faultAtMs)
    outside.fork(Effect.ignore(deployment.ask((clients) => clients.app(appId, (app) => app.Passivate()))))
    if (!hasFault("its app is asked too much") || appId !== faultyApps[0]?.appId) return
    // They wait for the end of its next push, which it then cannot come to.
    yield* until(slotAtMs(faultSlot + 1) + 60)
    const waiting = untilItEnds(deployOf(serviceSlug, faultSlot + 1))
    const ask = deployment.ask((clients) => clients.app(appId, (app) => app.AwaitDeploy(waiting), waitMs))
    const again = Effect.forever(Effect.andThen(Effect.ignore(ask), Effect.sleep(200)))
    for (let n = 0; n < tooMany; n++) outside.fork(again)
  })

  for (const n of [common, own]) outside.fork(register(n))
  for (const app of faultyApps) {
    outside.fork(faultyDay(app))
    outside.fork(faultBegins(app))
  }
  bystandersApps.forEach((app, index) => outside.fork(bystandersDay(app, index)))
  world.runUntil(world.startMs + slotAtMs(slots) + slots * patienceMs, () => going === 0)
  const problems = agents.flatMap((agent) => agent.problems)
  return { journeys, failed: faultyApps.length * slots - live, problems, latencyMs }
}

export interface Beside {
  readonly fault: TenantFaults.TenantFault
  readonly journeys: ReadonlyArray<BystandersJourney>
  /** How many pushes more of the faulty tenant's than without the fault did not become live. */
  readonly harmed: number
  readonly problems: ReadonlyArray<string>
}

/** What the bystander waited for beside each fault, and may wait for. */
export const simulate = (
  seed: number,
  faults: ReadonlyArray<TenantFaults.TenantFault>,
  breaking: Breaking = (stores) => stores
): ReadonlyArray<Beside> => {
  const told = (fault: TenantFaults.TenantFault | undefined) => {
    const world = new World(seed)
    return during(world, () => run(world, fault, breaking))
  }
  const without = told(undefined)
  return faults.map((fault) => {
    const { journeys, failed, problems, latencyMs } = told(fault)
    return {
      fault,
      problems,
      harmed: failed - without.failed,
      journeys: [...without.journeys].map(([what, tookMs]) => ({
        tenant: `seed ${seed}: the bystander`,
        what,
        fault: `of the other tenant ${fault}`,
        judged: {
          tookMs: journeys.get(what) ?? Number.POSITIVE_INFINITY,
          limitMs: tookMs + 2 * latencyMs * tripsMore
        }
      }))
    }
  })
}
