/** For each kind of effect an app, or a cluster, and what must happen to it until its event causes that effect. */
import { Effect, Schedule } from "effect"
import type { DeployPhase } from "@starform/domain/model/Deploy"
import { Slug } from "@starform/domain/ids/Slug"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import type { OutboxEffect } from "@starform/starbase/outbox/OutboxEffect"
import type { Script } from "../harness/ScriptedBuilder.ts"
import * as Specimens from "../entities/Specimens.ts"

export type Kind = OutboxEffect["_tag"]

/** Number of the app of each kind; its deploy has the same. */
const numbers: Readonly<Record<Kind, number>> = {
  StartDeploy: 1,
  SettleDeploy: 2,
  CancelBuild: 3,
  PutDesired: 4,
  RemoveDesired: 5,
  TellObserved: 6
}

export const kinds = Object.keys(numbers) as ReadonlyArray<Kind>

export const appOf = (kind: Kind) => Specimens.appId(numbers[kind])
export const deployOf = (kind: Kind) => Specimens.deployId(numbers[kind])
export const clusterOf = (kind: Kind) => Specimens.clusterId(kind === "TellObserved" ? 2 : 1)

/** The entity whose event causes the effect. */
export const sourceOf = (kind: Kind) =>
  kind === "TellObserved" ? { type: "Cluster", id: clusterOf(kind) } : { type: "App", id: appOf(kind) }

/** Builds end at once, but for the one that is to be cancelled. */
export const script: Script = (spec) =>
  spec.appId === appOf("CancelBuild")
    ? Effect.never
    : Effect.succeed({
        digest: Specimens.digest(1),
        image: Specimens.image(1),
        processes: [{ name: Specimens.web, command: ["node", "server.js"] }],
        healthPath: null,
        durations: { queuedMs: 0, sourceMs: 0, installMs: 0, buildMs: 0, packageMs: 0, totalMs: 0 }
      })

const { request } = Specimens
const agentTokenHash = "a".repeat(64)

/** A runner that is starting answers nothing yet: asked again, at most for half a minute. */
const patiently = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(Effect.retry({ schedule: Schedule.spaced("50 millis"), times: 600 }), Effect.orDie)

export const phaseOf = Effect.fnUntraced(function* (kind: Kind) {
  const entities = yield* EntityClients
  const state = yield* patiently(entities.app(appOf(kind), (app) => app.GetApp()))
  return state.deploys[0]?.phase
})

const reaches = (kind: Kind, phase: DeployPhase) =>
  phaseOf(kind).pipe(
    Effect.repeat({ until: (now) => now === phase, schedule: Schedule.spaced("20 millis") }),
    Effect.timeout("30 seconds"),
    Effect.orDie
  )

const registered = Effect.fnUntraced(function* (kind: Kind) {
  const entities = yield* EntityClients
  const clusterId = clusterOf(kind)
  yield* patiently(
    entities.cluster(clusterId, (cluster) =>
      cluster.RegisterCluster({
        ...request("register"),
        epoch: "0a0b0c0d",
        registration: { clusterId, name: Slug.make("local"), region: "here", agentTokenHash }
      })
    )
  )
})

const pushed = Effect.fnUntraced(function* (kind: Kind) {
  const entities = yield* EntityClients
  const identity = { ...Specimens.identity(numbers[kind]), clusterId: clusterOf(kind) }
  yield* patiently(entities.app(identity.appId, (app) => app.CreateApp({ ...request("create"), identity })))
  yield* patiently(entities.app(identity.appId, (app) => app.AcceptPush(Specimens.push(deployOf(kind)))))
})

const available = Effect.fnUntraced(function* (kind: Kind) {
  const entities = yield* EntityClients
  const state = yield* patiently(entities.app(appOf(kind), (app) => app.GetApp()))
  return Specimens.observed(state.desired!, "available")
})

/** Asks whatever causes the effect; the relay does the rest. */
const cause = Effect.fnUntraced(function* (kind: Kind) {
  const entities = yield* EntityClients
  const deployId = deployOf(kind)
  yield* pushed(kind)
  switch (kind) {
    case "StartDeploy":
    case "PutDesired":
      return
    case "CancelBuild": {
      yield* reaches(kind, "building")
      const cancel = entities.app(appOf(kind), (app) => app.CancelDeploy({ ...request("cancel"), deployId }))
      yield* patiently(cancel)
      return
    }
    case "RemoveDesired": {
      yield* reaches(kind, "deploying")
      const { failure } = Specimens
      const fail = entities.app(appOf(kind), (app) =>
        app.FailDeploy({ ...request("fail"), deployId, failure })
      )
      yield* patiently(fail)
      return
    }
    case "SettleDeploy": {
      yield* reaches(kind, "deploying")
      const observed = yield* available(kind)
      const { operator: principal } = Specimens
      yield* patiently(entities.app(appOf(kind), (app) => app.Observe({ principal, observed })))
      return
    }
    case "TellObserved": {
      yield* reaches(kind, "deploying")
      const apps = [yield* available(kind)]
      const report = { revision: null, apps, complete: false, agentVersion: "test" }
      // Reported until the entry has arrived: before that it is none of the cluster's business.
      yield* entities
        .cluster(clusterOf(kind), (cluster) => cluster.Report({ agentTokenHash, report }))
        .pipe(
          Effect.andThen(entities.cluster(clusterOf(kind), (cluster) => cluster.GetClusterState())),
          patiently,
          Effect.repeat({
            until: (state) => appOf(kind) in state.observed,
            schedule: Schedule.spaced("20 millis")
          }),
          Effect.timeout("30 seconds"),
          Effect.orDie
        )
    }
  }
})

export const play = Effect.andThen(
  Effect.forEach(["StartDeploy", "TellObserved"] as const, registered, { discard: true }),
  Effect.forEach(kinds, cause, { concurrency: "unbounded", discard: true })
)
