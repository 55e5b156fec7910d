/** What is wrong with a run, read beside every road once it is over. */
import { isTerminal } from "@starform/domain/model/Deploy"
import * as Evidence from "../invariants/Evidence.ts"
import { violations, type Violation } from "../invariants/Invariants.ts"
import type { Database } from "./FaultyStore.ts"
import type { GitPushes } from "./GitPushes.ts"
import * as GitRest from "./GitRest.ts"
import type { ModelCluster } from "./ModelCluster.ts"
import { hasPendingEffects, journalsOf, type Rest } from "./Rest.ts"
import type { SharedFiles } from "./SharedFiles.ts"
import type { Tenants } from "./Tenants.ts"
import type { Step, World } from "./World.ts"

/** `SIM` is whatever no invariant has a name for. */
export type Problem = Violation | GitRest.Broken

export interface Outcome {
  readonly seed: number
  readonly violations: ReadonlyArray<Problem>
  readonly trace: ReadonlyArray<Step>
  /** Equal for two runs in which the same happened. */
  readonly traceHash: number
  /** Deploys that were not over long after the faults were: their workflow was lost, and the watch ended them. */
  readonly late: ReadonlyArray<string>
  readonly tasks: number
  readonly virtualMs: number
}

interface Ended {
  readonly database: Database
  readonly people: Tenants
  readonly clusters: ReadonlyArray<ModelCluster>
  readonly files: SharedFiles
  readonly pushes: GitPushes
  readonly rest: Rest
  /** Whether there is a rest to judge: a run that did not wait for the watch has none. */
  readonly isAtRest: boolean
}

/** Entities live on runners that take their shards. */
const strangers = ({ steps }: Database): ReadonlyArray<string> =>
  [...new Set(steps.flatMap(({ writer }) => (writer.startsWith("w") ? [writer] : [])))].map(
    (writer) => `the worker ${writer} had an entity`
  )

export const judge = (
  world: World,
  { database, people, clusters, files, pushes, rest, isAtRest }: Ended
): ReadonlyArray<Problem> => {
  const evidence: Evidence.Evidence = {
    ...Evidence.nothing,
    atMs: world.nowMs,
    acknowledged: people.acknowledged,
    journals: journalsOf(database),
    requests: database.keptRequests(),
    steps: database.steps,
    revisions: clusters.flatMap(({ told }) => told),
    pushes: rest.pushes,
    rest: isAtRest ? rest.apps : []
  }
  const unended = rest.pushes.flatMap(({ deployId, phase }) =>
    isTerminal(phase) ? [] : [`${deployId} is ${phase} at rest`]
  )
  const problems = [
    ...people.problems,
    ...pushes.problems,
    ...clusters.flatMap((cluster) => cluster.problems),
    ...strangers(database),
    ...(people.open > 0 ? [`${people.open} commands have no answer at rest`] : []),
    ...(pushes.open > 0 ? [`${pushes.open} pushes have no verdict at rest`] : []),
    ...(isAtRest && hasPendingEffects(database) ? ["effects are still due at rest"] : []),
    ...(isAtRest ? unended : [])
  ]
  return [
    ...violations(evidence),
    ...GitRest.violations(rest.histories, files, pushes.commits),
    ...(isAtRest ? GitRest.waits(rest.histories, files, pushes.commits) : []),
    ...problems.map((what) => ({ invariant: "SIM", what }))
  ]
}

const again = (seed: number) => `npm run sim -- --seeds 1 --from ${seed}`

/** What is wrong with a run, and how to see it again. */
export const verdict = ({ seed, violations }: Pick<Outcome, "seed" | "violations">): string =>
  [
    ...violations.map(({ invariant, what }) => `${invariant}: ${what}`),
    `seed ${seed} failed; again: ${again(seed)}`
  ].join("\n")

/** What a person reads of a run that failed: all that happened, and what is wrong. */
export const tell = (outcome: Outcome): string =>
  [
    ...outcome.trace.map(
      ({ atMs, who, what }) => `${(atMs / 1_000).toFixed(3).padStart(9)}  ${who.padEnd(8)} ${what}`
    ),
    verdict(outcome)
  ].join("\n")
