/** What is in the stores at one instant, read beside every road: what the invariants judge, and whether anything is left to do. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Duration from "effect/Duration"
import { isTerminal } from "@starform/domain/model/Deploy"
import * as AppState from "@starform/starbase/entities/app/AppState"
import * as ClusterState from "@starform/starbase/entities/cluster/ClusterState"
import { askTimeout } from "@starform/starbase/entities/EntityClients"
import { grace, watchInterval } from "@starform/starbase/workflows/DeployWatch"
import type { AppAtRest, AcceptedPush, JournalOf } from "../invariants/Evidence.ts"
import { deadlines } from "./Composition.ts"
import type { Database } from "./FaultyStore.ts"
import type { AppHistory } from "./GitRest.ts"

const decodeApp = Schema.decodeUnknownSync(Schema.Array(AppState.AppEvent))
const decodeCluster = Schema.decodeUnknownSync(Schema.Array(ClusterState.ClusterEvent))

export const journalsOf = (database: Database): ReadonlyArray<JournalOf> =>
  [...database.keys.values()].map((entity) => ({
    entity,
    events: Effect.runSync(database.journal.read(entity, 0, Number.MAX_SAFE_INTEGER))
  }))

/** Rows that nobody has performed yet. */
export const hasPendingEffects = (database: Database): boolean =>
  Effect.runSync(database.outbox.due(Number.MAX_SAFE_INTEGER, 1)).length > 0

/** What an accepted push may take: its deadlines, and until the watch over lost deploys has come by and been answered. */
export const deadlineMs = [deadlines.build, deadlines.rollout, grace, watchInterval, askTimeout].reduce(
  (sum, duration) => sum + Duration.toMillis(duration),
  0
)

export interface Rest {
  readonly apps: ReadonlyArray<AppAtRest>
  readonly pushes: ReadonlyArray<AcceptedPush>
  readonly histories: ReadonlyArray<AppHistory>
  readonly isAtRest: boolean
}

/** @param running what runs in any cluster, by app */
export const restOf = (database: Database, running: (appId: string) => AppAtRest["observed"]): Rest => {
  const journals = journalsOf(database)
  const events = (type: string) => journals.filter(({ entity }) => entity.type === type)
  const clusters = events("Cluster").map((journal) =>
    decodeCluster(journal.events.map(({ event }) => event)).reduce(
      ClusterState.evolve,
      ClusterState.initial()
    )
  )
  const histories = events("App").map((journal): AppHistory => {
    const decoded = decodeApp(journal.events.map(({ event }) => event))
    return { events: decoded, state: decoded.reduce(AppState.evolve, AppState.initial()) }
  })
  const states = histories.map(({ state }) => state)
  const pushes = states.flatMap(({ deploys }) =>
    deploys.map(({ id, phase, phases, requestedAtMs }) => ({
      deployId: id,
      acceptedAtMs: requestedAtMs,
      deadlineMs,
      phase,
      sinceMs: phases.at(-1)?.atMs ?? requestedAtMs
    }))
  )
  const apps = states.flatMap(({ identity, desired, observed }): ReadonlyArray<AppAtRest> => {
    if (identity === null) return []
    const entry = clusters
      .map(({ entries }) => entries[identity.appId]?.entry)
      .find((present) => present !== undefined)
    return [
      {
        appId: identity.appId,
        desired: desired === null ? null : { ordinal: desired.ordinal, releaseId: desired.releaseId },
        entry: entry === undefined ? null : { ordinal: entry.ordinal, releaseId: entry.releaseId },
        // An app of which nothing is to run hears nothing of it any more: what is left is what runs.
        observed:
          observed === null || desired === null
            ? running(identity.appId)
            : { ordinal: observed.ordinal, releaseId: observed.releaseId, phase: observed.phase }
      }
    ]
  })
  const isAtRest =
    pushes.every(({ phase }) => isTerminal(phase)) &&
    apps.every(
      ({ desired, entry, observed }) =>
        desired?.ordinal === entry?.ordinal &&
        (desired === null
          ? observed === null
          : observed?.ordinal === desired.ordinal && observed.phase === "available")
    )
  return { apps, pushes, histories, isAtRest }
}
