/**
 * What goes on while a fault is made: of each tenant, tokens are added, one app is configured, another one is pushed to,
 * entries are put into the cluster, and its agent pulls and reports. Each of these goes on until it is told to end.
 */
import { randomUUID } from "node:crypto"
import { Effect, Fiber, Schedule } from "effect"
import type { AppId } from "@starform/domain/ids/AppId"
import { DeployId } from "@starform/domain/ids/Ids"
import type { Revision } from "@starform/domain/ids/Revision"
import { type Deploy, isTerminal } from "@starform/domain/model/Deploy"
import type { DesiredEntry } from "@starform/starbase/desired/DesiredEntry"
import type { DesiredAnswer } from "@starform/starbase/entities/cluster/ClusterEntity"
import type { EntityKey } from "@starform/starbase/journal/Journal"
import type { RevisionsSeen } from "../invariants/Evidence.ts"
import * as Specimens from "../entities/Specimens.ts"
import type { Caller } from "./Caller.ts"
import { appOf, freshToken, type Tenant } from "./Tenants.ts"

const pause = "100 millis"

/** How long everything may take to go on after a fault; a caller's own patience is shorter. */
const progressWithin = "60 seconds"

/** Milliseconds that a pull waits. */
const pullWaitMs = 1_000

export interface Load {
  /** Until everything that goes on has been acknowledged `times` more. */
  readonly progress: (times: number) => Effect.Effect<void>
  /** No new push, token, setting or entry; the agents go on until the scope closes. */
  readonly end: Effect.Effect<void>
  readonly revisions: ReadonlyArray<RevisionsSeen>
  /** Every push that was accepted, by app. */
  readonly pushes: ReadonlyArray<{ readonly app: EntityKey; readonly deployId: DeployId }>
}

/** Entries that nothing but the load puts there: their apps do not exist. */
const entry = (appId: AppId, ordinal: number): DesiredEntry => ({
  ...Specimens.desiredEntry(1, ordinal),
  appId,
  hostnames: []
})

export const start = Effect.fnUntraced(function* (caller: Caller, tenants: ReadonlyArray<Tenant>) {
  const counts = new Map<string, number>()
  const revisions: Array<{ cluster: string; observer: string; revisions: Array<Revision> }> = []
  const pushes: Array<{ app: EntityKey; deployId: DeployId }> = []
  let isOver = false

  const again = (name: string, once: (n: number) => Effect.Effect<void>) => {
    counts.set(name, 0)
    let n = 0
    return Effect.suspend(() => once(++n)).pipe(
      Effect.tap(() => Effect.sync(() => counts.set(name, n))),
      Effect.andThen(Effect.sleep(pause)),
      Effect.repeat({ until: () => isOver }),
      Effect.asVoid
    )
  }

  const push = (app: EntityKey) => () =>
    Effect.gen(function* () {
      const deployId = DeployId.make(randomUUID())
      let deploy = (yield* caller.command(app, "AcceptPush", Specimens.push(deployId))) as Deploy
      pushes.push({ app, deployId })
      while (!isTerminal(deploy.phase)) {
        const wait = { deployId, phasesSeen: deploy.phases.length, waitMs: pullWaitMs }
        deploy = (yield* caller.ask(app, "AwaitDeploy", wait, pullWaitMs)) as Deploy
      }
    })

  const agent = (tenant: Tenant) => {
    const apps = new Set<string>([tenant.configured.appId, tenant.pushed.appId])
    const reported = new Map<string, number>()
    const seen: Array<Revision> = []
    revisions.push({ cluster: tenant.cluster.id, observer: "agent", revisions: seen })
    const { cluster, agentTokenHash } = tenant
    const once = Effect.gen(function* () {
      const known = seen.at(-1) ?? null
      const pull = { agentTokenHash, known, waitMs: pullWaitMs, allowDelta: true }
      const told = (yield* caller.ask(cluster, "AwaitDesired", pull, pullWaitMs)) as DesiredAnswer
      seen.push(told.revision)
      if (told._tag === "Unchanged") return
      const news = told.entries.filter(
        ({ appId, ordinal }) => apps.has(appId) && reported.get(appId) !== ordinal
      )
      if (news.length === 0) return
      const report = {
        revision: told.revision,
        apps: news.map((each) => Specimens.observed(each, "available")),
        complete: false,
        agentVersion: "test"
      }
      yield* caller.ask(cluster, "Report", { agentTokenHash, report })
      for (const { appId, ordinal } of news) reported.set(appId, ordinal)
    })
    return Effect.forever(once)
  }

  const ofTenant = (tenant: Tenant, index: number) => {
    const configured = appOf(tenant.configured)
    const { appId } = Specimens.uniqueIdentity()
    return [
      again(`tokens of ${index}`, (n) =>
        caller
          .command(
            tenant.workspace,
            "AddToken",
            { ...Specimens.request(`token-${n}`), token: freshToken(`token-${n}`) },
            1
          )
          .pipe(Effect.asVoid)
      ),
      again(`settings of ${index}`, (n) =>
        caller
          .command(
            configured,
            "SetHealthCheck",
            {
              ...Specimens.request(`health-${n}`),
              deployId: DeployId.make(randomUUID()),
              health: { path: `/up/${n}`, startupSeconds: 5 }
            },
            1
          )
          .pipe(Effect.asVoid)
      ),
      again(`entries of ${index}`, (n) =>
        caller
          .command(
            tenant.cluster,
            "PutDesired",
            { ...Specimens.request(`entry-${n}`), entry: entry(appId, n) },
            1
          )
          .pipe(Effect.asVoid)
      ),
      again(`pushes of ${index}`, push(appOf(tenant.pushed)))
    ]
  }

  const work = yield* Effect.forkScoped(
    Effect.all(tenants.flatMap(ofTenant), { concurrency: "unbounded", discard: true })
  )
  yield* Effect.forkScoped(Effect.forEach(tenants, agent, { concurrency: "unbounded", discard: true }))

  const progress = (times: number) =>
    Effect.suspend(() => {
      const wanted = new Map([...counts].map(([name, count]) => [name, count + times]))
      const missing = () =>
        [...wanted].filter(([name, count]) => counts.get(name)! < count).map(([name]) => name)
      return Effect.sync(missing).pipe(
        Effect.repeat({ until: (names) => names.length === 0, schedule: Schedule.spaced("50 millis") }),
        Effect.timeoutOrElse({
          duration: progressWithin,
          orElse: () => Effect.die(new Error(`no progress of ${missing().join(", ")}`))
        }),
        Effect.asVoid
      )
    })

  const load: Load = {
    // What cannot go on because it ended in a defect says why.
    progress: (times) => Effect.raceFirst(progress(times), Effect.andThen(Fiber.join(work), Effect.never)),
    end: Effect.andThen(
      Effect.sync(() => (isOver = true)),
      Fiber.join(work)
    ),
    revisions,
    pushes
  }
  return load
})
