/** What to do about one project, as values. Pure: equal input, equal plan. See README for the invariants. */
import type { AppId } from "@starform/domain/ids/AppId"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Inventory from "../inventory/Inventory.ts"
import { type Manifest, referenceOf } from "../kubernetes/Manifest.ts"
import type { ObservedObject } from "../kubernetes/ObservedObject.ts"
import { keyOf, type ObjectReference, waveOf } from "../kubernetes/ResourceKind.ts"
import { desiredHashAnnotation } from "../manifests/ShuttleAnnotations.ts"
import { clusterLabel, isManaged, ownerOfLabels, projectLabel } from "../manifests/ShuttleLabels.ts"
import type { DesiredProject, RenderedApp } from "./DesiredProject.ts"
import { type AppliedRecord, type Observation, namespaceReference, wantedManifests } from "./Observation.ts"
import type { Step, Wave } from "./PlanStep.ts"
import { type PrunePlan, retire } from "./PrunePlan.ts"

export interface AppPlan {
  readonly app: RenderedApp
  readonly waves: ReadonlyArray<Wave>
  /** Objects of wanted names that belong to somebody else. */
  readonly conflicts: ReadonlyArray<ObjectReference>
  /** An object is being deleted; it is made anew once it is gone. */
  readonly isWaiting: boolean
}

/** A step that the apps which need it wait for. */
export interface SharedStep {
  readonly step: Step
  readonly users: ReadonlySet<AppId>
}

export interface ReconcilePlan {
  /** Before every app: namespace, inventory, and what the project has once. */
  readonly opening: ReadonlyArray<Wave>
  /** Any conflict here stops the whole project. */
  readonly conflicts: ReadonlyArray<ObjectReference>
  readonly isWaiting: boolean
  /** After the opening, in waves, before the apps. */
  readonly shared: ReadonlyArray<ReadonlyArray<SharedStep>>
  readonly apps: ReadonlyArray<AppPlan>
  readonly prunes: ReadonlyArray<PrunePlan>
  /** After everything: what was learnt about what we own. */
  readonly closing: ReadonlyArray<Wave>
}

type Decision = Step | "converged" | "conflict" | "waiting"

/**
 * A namespace that an agent made for another project, or another cluster's agent for whatever project: never taken over.
 * One that we applied for this very project is ours, whatever somebody wrote into its labels since.
 */
const isOtherProjects = (
  { kind, metadata }: Manifest,
  { labels, uid }: ObservedObject,
  applied: AppliedRecord | undefined
): boolean =>
  kind === "Namespace" &&
  !(applied?.uid === uid && applied.owner === ownerOfLabels(metadata.labels)) &&
  [projectLabel, clusterLabel].some(
    (label) => labels[label] !== undefined && labels[label] !== metadata.labels[label]
  )

const decide = (manifest: Manifest, seen: Observation): Decision => {
  const key = keyOf(referenceOf(manifest))
  const object = seen.objects.get(key)
  const applied = seen.applied.get(key)
  if (object === undefined) {
    return { _tag: "Apply", manifest, cause: applied === undefined ? "absent" : "drifted" }
  }
  const isOurs = isManaged(object.labels) || seen.inventory.get(key)?.uid === object.uid
  if (!isOurs || isOtherProjects(manifest, object, applied)) return "conflict"
  if (object.deleting) return "waiting"
  const wanted = manifest.metadata.annotations[desiredHashAnnotation]
  if (applied === undefined) return { _tag: "Apply", manifest, cause: "unverified" }
  if (applied.desiredHash !== wanted) return { _tag: "Apply", manifest, cause: "changed" }
  const isSame =
    applied.uid === object.uid &&
    applied.ownedFields === object.ownedFields &&
    object.annotations[desiredHashAnnotation] === wanted
  return isSame ? "converged" : { _tag: "Apply", manifest, cause: "drifted" }
}

const intoWaves = <A>(
  steps: ReadonlyArray<readonly [wave: number, step: A]>
): ReadonlyArray<ReadonlyArray<A>> => {
  const waves = new Map<number, Array<A>>()
  for (const [wave, step] of steps) waves.set(wave, [...(waves.get(wave) ?? []), step])
  return [...waves].sort(([a], [b]) => a - b).map(([, wave]) => wave)
}

interface Decided {
  readonly waves: ReadonlyArray<Wave>
  readonly conflicts: ReadonlyArray<ObjectReference>
  readonly isWaiting: boolean
}

const decideAll = (manifests: ReadonlyArray<Manifest>, seen: Observation): Decided => {
  const steps: Array<readonly [number, Step]> = []
  const conflicts: Array<ObjectReference> = []
  let isWaiting = false
  for (const manifest of manifests) {
    const decision = decide(manifest, seen)
    if (decision === "conflict") conflicts.push(referenceOf(manifest))
    else if (decision === "waiting") isWaiting = true
    else if (decision !== "converged") steps.push([waveOf(manifest.kind), decision])
  }
  return { waves: intoWaves(steps), conflicts, isWaiting }
}

interface SharedPlan {
  readonly steps: ReadonlyArray<readonly [wave: number, step: SharedStep]>
  /** What an app needs and cannot have: somebody else's object of that name. */
  readonly conflicts: ReadonlyMap<AppId, ReadonlyArray<ObjectReference>>
  readonly waiting: ReadonlySet<AppId>
}

const sharedPlan = (desired: DesiredProject, seen: Observation): SharedPlan => {
  const steps: Array<readonly [number, SharedStep]> = []
  const conflicts = new Map<AppId, ReadonlyArray<ObjectReference>>()
  const waiting = new Set<AppId>()
  for (const { manifest, users } of desired.shared) {
    const decision = decide(manifest, seen)
    if (decision === "conflict") {
      for (const appId of users) {
        conflicts.set(appId, [...(conflicts.get(appId) ?? []), referenceOf(manifest)])
      }
    } else if (decision === "waiting") for (const appId of users) waiting.add(appId)
    else if (decision !== "converged") steps.push([waveOf(manifest.kind), { step: decision, users }])
  }
  return { steps, conflicts, waiting }
}

const Replicas = Schema.Struct({ replicas: Schema.optionalKey(Schema.Int) })
const decodeReplicas = Schema.decodeUnknownOption(Replicas)
const replicasOf = (spec: unknown): number | undefined =>
  Option.getOrUndefined(decodeReplicas(spec))?.replicas

/** The fewest copies of each Deployment that scales by itself, by its name. */
const leastCopies = (manifests: ReadonlyArray<Manifest>): ReadonlyMap<string, number> =>
  new Map(
    manifests.flatMap((manifest) => {
      const scaling = Option.getOrUndefined(decodeScaling(manifest))
      return scaling === undefined
        ? []
        : [[scaling.spec.scaleTargetRef.name, scaling.spec.minReplicas] as const]
    })
  )

const decodeScaling = Schema.decodeUnknownOption(
  Schema.Struct({
    kind: Schema.Literal("HorizontalPodAutoscaler"),
    spec: Schema.Struct({
      minReplicas: Schema.Int,
      scaleTargetRef: Schema.Struct({ name: Schema.String })
    })
  })
)

/** A new Deployment begins with the fewest copies; one whose number was ours keeps the one that it has. */
const withHandOver = (step: Step, least: ReadonlyMap<string, number>, seen: Observation): Step => {
  if (step._tag !== "Apply" || step.manifest.kind !== "Deployment") return step
  const object = seen.objects.get(keyOf(referenceOf(step.manifest)))
  const copies = least.get(step.manifest.metadata.name)
  if (copies === undefined || object?.ownsReplicas === false) return step
  const replicas = replicasOf(object?.spec) ?? copies
  return { ...step, handOver: { replicas, uid: object?.uid ?? null } }
}

const appPlan = (app: RenderedApp, seen: Observation, shared: SharedPlan): AppPlan => {
  const manifests = Result.isSuccess(app.manifests) ? app.manifests.success : []
  const decided = decideAll(manifests, seen)
  const conflicts = [...decided.conflicts, ...(shared.conflicts.get(app.appId) ?? [])]
  const isHeldUp = shared.waiting.has(app.appId)
  const least = leastCopies(manifests)
  return {
    app,
    conflicts,
    isWaiting: decided.isWaiting || isHeldUp,
    /** Nothing of an app is touched while a name that it needs is somebody else's, or is not there yet. */
    waves:
      conflicts.length > 0 || isHeldUp
        ? []
        : decided.waves.map((wave) => wave.map((step) => withHandOver(step, least, seen)))
  }
}

const wantedWithApp = (
  desired: DesiredProject,
  blocked: ReadonlySet<AppId>,
  foreign: ReadonlySet<string>
) => [
  ...[...desired.manifests, ...desired.shared.map(({ manifest }) => manifest)]
    .map((manifest) => ({ reference: referenceOf(manifest), appId: null }))
    .filter(({ reference }) => !foreign.has(keyOf(reference))),
  ...desired.apps.flatMap((app) =>
    Result.isSuccess(app.manifests) && !blocked.has(app.appId)
      ? app.manifests.success.map((manifest) => ({ reference: referenceOf(manifest), appId: app.appId }))
      : []
  )
]

interface InventorySteps {
  readonly before: ReadonlyArray<Wave>
  readonly after: ReadonlyArray<Wave>
  readonly isForeign: boolean
}

/** What is about to be made is written down first; what was only learnt may wait until the end. */
const inventorySteps = (
  desired: DesiredProject,
  seen: Observation,
  labels: Readonly<Record<string, string>>,
  intended: Inventory.Inventory,
  gone: ReadonlySet<string>
): InventorySteps => {
  const next = Inventory.without(intended, gone)
  const stored = seen.storedInventory ?? Inventory.empty
  const known = seen.objects.get(keyOf(Inventory.inventoryReference(desired.namespace)))
  const isForeign = known !== undefined && !isManaged(known.labels)
  if (isForeign || Inventory.isSame(next, stored)) return { before: [], after: [], isForeign }
  const manifest = Inventory.manifestOf(desired.namespace, labels, next)
  const wave: ReadonlyArray<Wave> = [[{ _tag: "SaveInventory", manifest }]]
  const hasIntents = [...next].some(([key, entry]) => {
    const before = stored.get(key)
    return before === undefined || before.appId !== entry.appId
  })
  return hasIntents ? { before: wave, after: [], isForeign } : { before: [], after: wave, isForeign }
}

const stopped = (desired: DesiredProject, conflicts: ReadonlyArray<ObjectReference>, isWaiting: boolean) => ({
  opening: [],
  conflicts,
  isWaiting,
  shared: [],
  apps: desired.apps.map((app) => ({ app, waves: [], conflicts, isWaiting })),
  prunes: [],
  closing: []
})

export const plan = (desired: DesiredProject, seen: Observation): ReconcilePlan => {
  const namespaceKey = keyOf(namespaceReference(desired.namespace))
  const namespace = seen.objects.get(namespaceKey)
  const opening = decideAll(desired.manifests, seen)
  if (opening.conflicts.length > 0) return stopped(desired, opening.conflicts, false)
  if (namespace?.deleting === true) return stopped(desired, [], true)

  const shared = sharedPlan(desired, seen)
  const apps = desired.apps.map((app) => appPlan(app, seen, shared))
  const blocked = new Set(apps.filter((app) => app.conflicts.length > 0).map(({ app }) => app.appId))
  const foreign = new Set([...shared.conflicts.values()].flat().map(keyOf))
  const intended = Inventory.intend(seen.inventory, wantedWithApp(desired, blocked, foreign))
  const wanted = new Set(wantedManifests(desired).map((manifest) => keyOf(referenceOf(manifest))))
  const retirement = retire(desired, seen, wanted)

  const knownInventory = seen.objects.get(keyOf(Inventory.inventoryReference(desired.namespace)))
  const labels = desired.labels ?? knownInventory?.labels ?? namespace?.labels ?? {}
  const isWithoutNamespace = namespace === undefined && desired.manifests.length === 0
  const saving = isWithoutNamespace
    ? { before: [], after: [], isForeign: false }
    : inventorySteps(desired, seen, labels, intended, retirement.gone)
  if (saving.isForeign) return stopped(desired, [Inventory.inventoryReference(desired.namespace)], false)

  const [first, ...rest] = opening.waves
  const isNamespaceFirst = first?.some((step) => step._tag === "Apply" && step.manifest.kind === "Namespace")
  return {
    opening:
      first === undefined
        ? saving.before
        : isNamespaceFirst === true
          ? [first, ...saving.before, ...rest]
          : [...saving.before, first, ...rest],
    conflicts: [],
    isWaiting: opening.isWaiting,
    shared: intoWaves(shared.steps),
    apps,
    prunes: retirement.prunes,
    closing: saving.after
  }
}

/** Every step, in an order in which it may be run. */
export const stepsOf = (plan: ReconcilePlan): ReadonlyArray<Step> =>
  [
    ...plan.opening,
    ...plan.shared.map((wave) => wave.map(({ step }) => step)),
    ...plan.apps.flatMap((app) => app.waves),
    ...plan.prunes.flatMap((prune) => prune.waves),
    ...plan.closing
  ].flat()
