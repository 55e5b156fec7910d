/** One pass over one project: observe, plan, run, say how it went. Safe to interrupt anywhere and to repeat. */
import type { AppId } from "@starform/domain/ids/AppId"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Inventory from "../inventory/Inventory.ts"
import type { ClusterCache } from "../kubernetes/ClusterCache.ts"
import type { Requests } from "../kubernetes/KubernetesClient.ts"
import type { RequestError } from "../kubernetes/KubernetesErrors.ts"
import type { ObservedObject } from "../kubernetes/ObservedObject.ts"
import { keyOf, type ObjectReference } from "../kubernetes/ResourceKind.ts"
import {
  type AppOutcome,
  describeEnding,
  ofConflict,
  ofError,
  ofHeldRemoval,
  ofRefusedRemoval,
  ofRendering,
  ofStranger,
  ofWaiting
} from "./AppOutcome.ts"
import { type DesiredProject, ownerOf } from "./DesiredProject.ts"
import {
  type AppliedRecord,
  decisiveReferences,
  namespaceReference,
  type Observation
} from "./Observation.ts"
import { describeStep, type Wave } from "./PlanStep.ts"
import type { PrunePlan } from "./PrunePlan.ts"
import { type AppPlan, plan, type ReconcilePlan, stepsOf } from "./ReconcilePlan.ts"
import { applying } from "../tracing/AgentHops.ts"
import * as StepRunner from "./StepRunner.ts"

export interface PassOutcome {
  readonly apps: ReadonlyArray<AppOutcome>
  /** The first thing that went wrong; `null` when all is well. */
  readonly problem: string | null
  /** Steps that were run because of somebody else's writes. */
  readonly driftSteps: number
  readonly steps: number
}

export interface PassServices {
  readonly client: Requests
  readonly cache: ClusterCache["Service"]
}

/** Objects of one project that are written at once. */
const appsAtOnce = 8

const readOne = (services: PassServices, reference: ObjectReference) =>
  services.client.get(reference).pipe(
    Effect.asSome,
    Effect.catchTag("ObjectNotFound", () => Effect.succeedNone)
  )

/** The index, and a read of each decisive object that it does not show. */
const observe = Effect.fnUntraced(function* (
  services: PassServices,
  desired: DesiredProject,
  applied: ReadonlyMap<string, AppliedRecord>
) {
  const { index } = services.cache
  const { namespace } = desired
  const indexed = index.inNamespace(namespace)
  const objects = new Map<string, ObservedObject>(indexed.map((object) => [keyOf(object), object]))
  const absent = new Set<string>()
  const stored = Option.fromUndefinedOr(objects.get(keyOf(Inventory.inventoryReference(namespace)))).pipe(
    Option.flatMap(Inventory.read)
  )
  const inventory = Inventory.adopt(
    Option.getOrElse(stored, () => Inventory.empty),
    indexed
  )

  const look = (reference: ObjectReference) =>
    Effect.map(readOne(services, reference), (found) => {
      if (Option.isSome(found)) objects.set(keyOf(reference), found.value)
      else absent.add(keyOf(reference))
    })
  const home = namespaceReference(namespace)
  if (!objects.has(keyOf(home))) yield* look(home)
  const isHomeless = absent.has(keyOf(home))
  const missing = decisiveReferences(desired, inventory).filter((reference) => !objects.has(keyOf(reference)))
  if (isHomeless) for (const reference of missing) absent.add(keyOf(reference))
  else yield* Effect.forEach(missing, look, { concurrency: "unbounded", discard: true })
  const seen: Observation = {
    objects,
    absent,
    inventory: Inventory.adopt(inventory, [...objects.values()]),
    storedInventory: Option.getOrNull(stored),
    applied
  }
  return seen
})

const runWaves = (runner: StepRunner.StepRunner, waves: ReadonlyArray<Wave>) =>
  Effect.forEach(
    waves,
    (wave) =>
      Effect.forEach(wave, (step) => StepRunner.run(runner, step), {
        concurrency: "unbounded",
        discard: true
      }),
    { discard: true }
  )

/** What several apps need, wave by wave; answers with what went wrong for each of them. A failure stops nobody else's. */
const runShared = Effect.fnUntraced(function* (
  runner: StepRunner.StepRunner,
  waves: ReconcilePlan["shared"]
) {
  const failures = new Map<AppId, StepRunner.StepError>()
  for (const wave of waves) {
    yield* Effect.forEach(
      wave,
      ({ step, users }) =>
        Effect.catch(StepRunner.run(runner, step), (error) =>
          Effect.sync(() => {
            for (const appId of users) failures.set(appId, error)
          })
        ),
      { concurrency: "unbounded", discard: true }
    )
  }
  return failures
})

const runApp = (
  runner: StepRunner.StepRunner,
  { app, conflicts, isWaiting, waves }: AppPlan,
  failed: StepRunner.StepError | undefined
) => {
  const unrendered = ofRendering(app)
  if (unrendered !== null) return Effect.succeed(unrendered)
  if (conflicts.length > 0) return Effect.succeed(ofConflict(app, conflicts))
  if (failed !== undefined) return Effect.succeed(ofError(app, failed))
  return runWaves(runner, waves).pipe(
    Effect.match({
      onFailure: (error) => ofError(app, error),
      onSuccess: (): AppOutcome =>
        isWaiting ? ofWaiting(app) : { _tag: "Applied", appId: app.appId, ordinal: app.ordinal }
    }),
    applying(app, waves.flat().length)
  )
}

interface PruneEnd {
  readonly problem: string | null
  /** Of a tombstoned app that is not gone yet, what keeps it. */
  readonly removing: AppOutcome | null
}

const runPrune = (runner: StepRunner.StepRunner, { appId, ending, ordinal, waves }: PrunePlan) => {
  const removed = appId === null || ordinal === null ? null : { appId, ordinal }
  return Effect.match(runWaves(runner, waves), {
    onFailure: (error): PruneEnd => ({
      problem: error.message,
      removing: removed === null ? null : ofRefusedRemoval(removed, error)
    }),
    onSuccess: (): PruneEnd => ({
      problem: ending.length === 0 ? null : describeEnding(ending),
      removing: removed === null || ending.length === 0 ? null : ofHeldRemoval(removed, ending)
    })
  })
}

/** Told only after the inventory forgot them: whoever hears it may forget the tombstone (INV-REC-6). */
const absences = (made: ReconcilePlan, closed: string | null): ReadonlyArray<AppOutcome> =>
  (closed === null ? made.prunes : []).flatMap(({ appId, isAbsent, ordinal }) =>
    isAbsent && appId !== null && ordinal !== null ? [{ _tag: "Absent" as const, appId, ordinal }] : []
  )

const problemOf = (apps: ReadonlyArray<AppOutcome>, others: ReadonlyArray<string | null>): string | null => {
  const failed = apps.find((app) => app._tag === "Refused" || app._tag === "Retrying")
  if (failed !== undefined && "message" in failed) return `${failed.appId}: ${failed.code}: ${failed.message}`
  return others.find((problem) => problem !== null) ?? null
}

/** @param applied of this project; what this pass applies is written to it */
export const run = Effect.fn("ProjectPass.run")(function* (
  services: PassServices,
  claimed: DesiredProject,
  applied: Map<string, AppliedRecord>
): Effect.fn.Return<PassOutcome, RequestError> {
  const desired = ownerOf(claimed, services.cache.index.get(namespaceReference(claimed.namespace)))
  const strangers = desired.rivals.flatMap(({ apps }) =>
    apps.map((app) => ofStranger(app, desired.namespace))
  )
  const seen = yield* observe(services, desired, applied)
  const made = plan(desired, seen)
  const steps = stepsOf(made)
  if (steps.length > 0) {
    yield* Effect.logDebug("Reconciling", { namespace: desired.namespace, steps: steps.map(describeStep) })
  }
  const runner = { client: services.client, cache: services.cache, applied }
  const opened = yield* Effect.result(runWaves(runner, made.opening))
  const driftSteps = steps.filter((step) => step._tag === "Apply" && step.cause === "drifted").length
  if (opened._tag === "Failure") {
    const apps = [...strangers, ...desired.apps.map((app) => ofError(app, opened.failure))]
    return { apps, problem: opened.failure.message, driftSteps, steps: steps.length }
  }
  const failures = yield* runShared(runner, made.shared)
  const apps = yield* Effect.forEach(made.apps, (app) => runApp(runner, app, failures.get(app.app.appId)), {
    concurrency: appsAtOnce
  })
  const pruned = yield* Effect.forEach(made.prunes, (prune) => runPrune(runner, prune), {
    concurrency: appsAtOnce
  })
  const closed = yield* Effect.match(runWaves(runner, made.closing), {
    onFailure: (error): string | null => error.message,
    onSuccess: () => null
  })
  const removing = pruned.flatMap((prune) => (prune.removing === null ? [] : [prune.removing]))
  const outcomes = [...apps, ...strangers, ...removing, ...absences(made, closed)]
  return {
    apps: outcomes,
    problem: problemOf(outcomes, [...pruned.map((prune) => prune.problem), closed]),
    driftSteps,
    steps: steps.length
  }
})
