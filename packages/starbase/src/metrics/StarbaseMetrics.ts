/**
 * Every number that Starbase gives out. Labels come from closed sets in the code; none names a workspace, a project, an
 * app or a person (INV-MET-1). docs/metrics.md says what each means to an operator, and a test that the two agree.
 */
import { classOf, type Reaction } from "@starform/domain/errors/Reaction"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"

/** Seconds, from a statement on this machine to a request that waited. */
const shortSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20]

/** Seconds, from a rollout without work to the longest deadline. */
const longSeconds = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900, 1800]

const counter = (name: string, description: string) =>
  Metric.counter(name, { description, incremental: true })

const gauge = (name: string, description: string) => Metric.gauge(name, { description })

/** Series of one metric, made once each: what a series costs is then a look-up and an addition. */
const family = <Labels extends Record<string, string>, Input, State>(
  metric: Metric.Metric<Input, State>
): ((labels: Labels) => Metric.Metric<Input, State>) => {
  const known = new Map<string, Metric.Metric<Input, State>>()
  return (labels) => {
    const key = Object.values(labels).join(" ")
    const series = known.get(key) ?? Metric.withAttributes(metric, labels)
    known.set(key, series)
    return series
  }
}

const commands = family<{ entity: string; command: string; outcome: string }, number, unknown>(
  counter("starbase_commands_total", "Commands that entities of this process answered")
)
const commandSeconds = family<{ entity: string }, number, unknown>(
  Metric.histogram("starbase_command_duration_seconds", {
    description: "From a command's turn in its entity to its answer",
    boundaries: shortSeconds
  })
)

type Outcome = "ok" | "rejected" | "transient" | "terminal"

/** By the class of the error's reaction; a defect needs a human, and nobody knows how a cut command ended. */
const outcomeOf = (exit: Exit.Exit<unknown, unknown>): Outcome => {
  if (exit._tag === "Success") return "ok"
  if (Cause.hasInterruptsOnly(exit.cause)) return "transient"
  const error = Cause.squash(exit.cause)
  return typeof error === "object" && error !== null && "reaction" in error
    ? classOf(error.reaction as Reaction)
    : "terminal"
}

/** Counts and times one command of an entity. */
export const measured =
  (entity: string, command: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(Clock.currentTimeNanos, (start) =>
      Effect.onExit(effect, (exit) =>
        Effect.contextWith((context: Context.Context<never>) =>
          Effect.map(Clock.currentTimeNanos, (end) => {
            commands({ entity, command, outcome: outcomeOf(exit) }).updateUnsafe(1, context)
            commandSeconds({ entity }).updateUnsafe(Number(end - start) / 1e9, context)
          })
        )
      )
    )

export const journalAppends = family<{ outcome: string }, number, unknown>(
  counter("starbase_journal_appends_total", "Appends to the journal")
)
export const journalGroupMembers = Metric.histogram("starbase_journal_group_members", {
  description: "Appends of one transaction",
  boundaries: [1, 2, 4, 8, 16, 32, 64, 128]
})
export const journalAppendSeconds = Metric.histogram("starbase_journal_append_duration_seconds", {
  description: "From an append's hand-over to its end, the wait for others included",
  boundaries: shortSeconds
})

export const journalAppendsInHand = gauge(
  "starbase_journal_appends_in_hand",
  "Appends that were handed over and have not ended"
)

export const outboxRows = gauge(
  "starbase_outbox_rows",
  "Effects that are not performed yet, of all processes"
)
export const outboxOldestSeconds = gauge(
  "starbase_outbox_oldest_age_seconds",
  "Age of the oldest of them; 0 without one"
)
export const outboxAttempts = family<{ effect: string; outcome: string }, number, unknown>(
  counter("starbase_outbox_attempts_total", "Attempts at effects")
)

export const requestsInHand = gauge(
  "starbase_requests_in_hand",
  "Requests that this process has not answered yet"
)
export const requestsRefused = counter(
  "starbase_requests_refused_total",
  "Requests that were turned away because too many were in hand"
)

/** Shows a number that somebody keeps anyway, for as long as the scope lives: it costs nothing until it is read. */
export const shownAs = (metric: typeof requestsInHand, read: () => number) =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.acquireRelease(
      Effect.sync(() =>
        Metric.registerUnsafe(metric, context, {
          get: () => ({ value: read() }),
          update: () => undefined,
          modify: () => undefined
        })
      ),
      (registration) => Effect.sync(() => registration.remove())
    )
  )

export const pullsParked = gauge("starbase_pulls_parked", "Pulls of agents that wait for a newer revision")
export const pulls = family<{ answer: string }, number, unknown>(
  counter("starbase_pulls_total", "Pulls of agents, by what they were answered")
)
export const reports = family<{ outcome: string }, number, unknown>(
  counter("starbase_reports_total", "Status reports of agents")
)

export const snapshotBatches = family<{ outcome: string }, number, unknown>(
  counter("starbase_snapshot_batches_total", "Batches of pod snapshots of agents")
)
export const snapshots = family<{ outcome: string }, number, unknown>(
  counter("starbase_snapshots_total", "Pod snapshots of agents, by what became of them")
)
export const capacityReports = family<{ outcome: string }, number, unknown>(
  counter("starbase_capacity_reports_total", "Capacity reports of agents")
)

export const deploysEnded = family<{ phase: string; code: string }, number, unknown>(
  counter("starbase_deploys_ended_total", "Deploys that ended, by their last phase and why they failed")
)
export const deployPhaseSeconds = family<{ phase: string }, number, unknown>(
  Metric.histogram("starbase_deploy_phase_duration_seconds", {
    description: "How long deploys that ended were in each phase",
    boundaries: longSeconds
  })
)

export const buildsQueued = gauge("starbase_builds_queued", "Builds that wait for this process's builder")
export const buildsRunning = gauge("starbase_builds_running", "Builds that this process's builder runs")

export const shardsOwned = family<{ group: string }, number, unknown>(
  gauge("starbase_shards_owned", "Shards whose entities live in this process")
)

export const postgresUp = gauge("starbase_postgres_up", "1 when PostgreSQL answered this scrape in time")
export const postgresConnections = family<{ state: string }, number, unknown>(
  gauge("starbase_postgres_connections", "Connections to the database, of all processes")
)

export const processCpuSeconds = counter("process_cpu_seconds_total", "CPU time of this process")

export const processGauges = {
  residentBytes: gauge("process_resident_memory_bytes", "Memory of this process"),
  heapUsedBytes: gauge("nodejs_heap_size_used_bytes", "JavaScript heap in use"),
  eventLoopDelayP50: gauge("nodejs_eventloop_lag_p50_seconds", "Event loop delay since the last scrape"),
  eventLoopDelayP99: gauge("nodejs_eventloop_lag_p99_seconds", "Event loop delay since the last scrape"),
  eventLoopDelayMax: gauge("nodejs_eventloop_lag_max_seconds", "Event loop delay since the last scrape")
}

/**
 * What is given out: name as exposed and its labels. What the libraries beneath us count is named by what it is here;
 * what is not in this list is not exposed, as a series per entity would be.
 */
export const exposed: ReadonlyMap<string, ReadonlyArray<string>> = new Map([
  ["starbase_commands_total", ["entity", "command", "outcome"]],
  ["starbase_command_duration_seconds", ["entity"]],
  ["starbase_journal_appends_total", ["outcome"]],
  ["starbase_journal_append_duration_seconds", []],
  ["starbase_journal_group_members", []],
  ["starbase_journal_appends_in_hand", []],
  ["starbase_outbox_rows", []],
  ["starbase_outbox_oldest_age_seconds", []],
  ["starbase_outbox_attempts_total", ["effect", "outcome"]],
  ["starbase_requests_in_hand", []],
  ["starbase_requests_refused_total", []],
  ["starbase_pulls_parked", []],
  ["starbase_pulls_total", ["answer"]],
  ["starbase_reports_total", ["outcome"]],
  ["starbase_snapshot_batches_total", ["outcome"]],
  ["starbase_snapshots_total", ["outcome"]],
  ["starbase_capacity_reports_total", ["outcome"]],
  ["starbase_deploys_ended_total", ["phase", "code"]],
  ["starbase_deploy_phase_duration_seconds", ["phase"]],
  ["starbase_builds_queued", []],
  ["starbase_builds_running", []],
  ["starbase_shards_owned", ["group"]],
  ["starbase_postgres_up", []],
  ["starbase_postgres_connections", ["state"]],
  ["effect_cluster_entities", ["type"]],
  ["effect_cluster_entity_mailbox_size_max", ["type"]],
  ["effect_cluster_singletons", []],
  ["effect_cluster_runners_healthy", []],
  ["effect_cluster_shards_releasing", []],
  ["effect_cluster_shard_release_milliseconds", []],
  ["process_resident_memory_bytes", []],
  ["process_cpu_seconds_total", []],
  ["nodejs_heap_size_used_bytes", []],
  ["nodejs_eventloop_lag_p50_seconds", []],
  ["nodejs_eventloop_lag_p99_seconds", []],
  ["nodejs_eventloop_lag_max_seconds", []]
])

/** Names of libraries that lack their unit. */
const renamed: Readonly<Record<string, string>> = {
  effect_cluster_shard_release: "effect_cluster_shard_release_milliseconds"
}

export const exposedName = (id: string): string => renamed[id] ?? id
