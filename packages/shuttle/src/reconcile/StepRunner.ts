/** Runs one step of a plan against the cluster, and remembers what the server answered. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { appliesSent, deletesSent, driftRepaired } from "../health/ShuttleMetrics.ts"
import type { ClusterCache } from "../kubernetes/ClusterCache.ts"
import type { Requests } from "../kubernetes/KubernetesClient.ts"
import type {
  FieldConflict,
  NotLeading,
  ObjectNotFound,
  ObjectReplaced,
  RequestError
} from "../kubernetes/KubernetesErrors.ts"
import { type Manifest, referenceOf } from "../kubernetes/Manifest.ts"
import { scaleManager } from "../kubernetes/ObservedObject.ts"
import { keyOf } from "../kubernetes/ResourceKind.ts"
import { desiredHashAnnotation } from "../manifests/ShuttleAnnotations.ts"
import { ownerOfLabels } from "../manifests/ShuttleLabels.ts"
import type { AppliedRecord } from "./Observation.ts"
import type { HandOver, Step } from "./PlanStep.ts"

export type StepError = RequestError | FieldConflict | ObjectReplaced | ObjectNotFound | NotLeading

export interface StepRunner {
  readonly client: Pick<Requests, "apply" | "applyFields" | "remove">
  readonly cache: Pick<ClusterCache["Service"], "record">
  /** Of one project; written here. */
  readonly applied: Map<string, AppliedRecord>
}

type Apply = Extract<Step, { readonly _tag: "Apply" }>

/**
 * Fields of an object of ours that another manager holds are named in the log, then taken back. On an object that is
 * just being made there is nothing to take back: a conflict there means that somebody else made it first.
 */
const applied = (runner: StepRunner, manifest: Manifest, mayTakeBack: boolean) =>
  runner.client.apply(manifest, false).pipe(
    Effect.catchTag("FieldConflict", (conflict) =>
      mayTakeBack
        ? Effect.andThen(
            Effect.logWarning("Taking back fields that another manager wrote", {
              object: keyOf(referenceOf(manifest)),
              fields: conflict.fields
            }),
            runner.client.apply(manifest, true)
          )
        : Effect.fail(conflict)
    )
  )

const withReplicas = (manifest: Manifest, replicas: number): Manifest => ({
  ...manifest,
  spec: { ...Object(manifest["spec"]), replicas }
})

/**
 * Somebody holds the field before we let go of it, so that it never falls to its default. A conflict means that somebody
 * does already. Cut off anywhere, the next pass finds the field still ours and does the same again.
 */
const applyWithout = Effect.fnUntraced(function* (
  runner: StepRunner,
  manifest: Manifest,
  { replicas, uid }: HandOver
) {
  const made = uid === null ? yield* applied(runner, withReplicas(manifest, replicas), false) : null
  const object = { ...referenceOf(manifest), uid: made?.object.uid ?? uid ?? "" }
  yield* runner.client
    .applyFields(object, { replicas }, scaleManager)
    .pipe(Effect.catchTag("FieldConflict", () => Effect.void))
  return yield* applied(runner, manifest, true)
})

const apply = Effect.fnUntraced(function* (runner: StepRunner, step: Apply) {
  const { cause, handOver, manifest } = step
  yield* Metric.update(appliesSent, 1)
  const { object } = yield* handOver === undefined
    ? applied(runner, manifest, cause !== "absent")
    : applyWithout(runner, manifest, handOver)
  runner.applied.set(keyOf(object), {
    uid: object.uid,
    desiredHash: manifest.metadata.annotations[desiredHashAnnotation] ?? "",
    owner: ownerOfLabels(manifest.metadata.labels),
    ownedFields: object.ownedFields
  })
  yield* runner.cache.record(object)
  if (cause === "drifted") {
    yield* Metric.update(driftRepaired, 1)
    yield* Effect.logInfo("Drift repaired", { object: keyOf(object) })
  }
})

export const run = (runner: StepRunner, step: Step): Effect.Effect<void, StepError> => {
  switch (step._tag) {
    case "Apply":
      return apply(runner, step)
    case "SaveInventory":
      return Effect.flatMap(applied(runner, step.manifest, true), ({ object }) => runner.cache.record(object))
    case "Delete":
      return Effect.andThen(Metric.update(deletesSent, 1), runner.client.remove(step.reference, step.uid))
  }
}
