/**
 * Gives every project of the held document a fiber of its own, and passes on what happened. Each term of this agent begins as a
 * process does, with nothing known to be applied: another agent may have written meanwhile.
 */
import type { AppId } from "@starform/domain/ids/AppId"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { ClusterCache } from "../kubernetes/ClusterCache.ts"
import { KubernetesClient } from "../kubernetes/KubernetesClient.ts"
import { derivedKinds, type ResourceKind } from "../kubernetes/ResourceKind.ts"
import { Tenure } from "../leadership/Tenure.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import type { HeldDocument } from "../starbase/DesiredDocument.ts"
import { DesiredStateHolder } from "../starbase/DesiredStateHolder.ts"
import { AppRenderer, desiredProjects } from "./DesiredProject.ts"
import { ProjectTask, type TaskState } from "./ProjectTask.ts"
import { ReconcileOutcomes } from "./ReconcileOutcomes.ts"

export class Reconciler extends Context.Service<
  Reconciler,
  {
    /** By namespace; for operators. */
    readonly tasks: Effect.Effect<ReadonlyMap<string, TaskState>>
  }
>()("@starform/shuttle/reconcile/Reconciler") {}

/** Others make these from ours; their changes are for the reports. */
const isDerived = new Set<ResourceKind>(derivedKinds)

const make = Effect.gen(function* () {
  const settings = yield* ShuttleConfig
  const client = yield* KubernetesClient
  const cache = yield* ClusterCache
  const holder = yield* DesiredStateHolder
  const outcomes = yield* ReconcileOutcomes
  const tenure = yield* Tenure
  const slots = yield* Semaphore.make(settings.projectsAtOnce)
  const tasks = new Map<string, ProjectTask>()
  const renderer = new AppRenderer(settings)
  const options = { services: { client, cache }, settings, slots, onOutcome: outcomes.put }

  const take = Effect.fnUntraced(function* (
    fibers: FiberMap.FiberMap<string, unknown, unknown>,
    document: HeldDocument
  ) {
    const projects = desiredProjects(document, renderer)
    const named = new Set<AppId>([
      ...document.apps.keys(),
      ...document.tombstones.map((tombstone) => tombstone.appId)
    ])
    yield* outcomes.keep(named)
    for (const namespace of tasks.keys()) {
      if (projects.has(namespace)) continue
      tasks.delete(namespace)
      yield* FiberMap.remove(fibers, namespace)
    }
    for (const [namespace, project] of projects) {
      const known = tasks.get(namespace)
      if (known !== undefined) {
        known.update(project)
        continue
      }
      const task = new ProjectTask(project, options)
      tasks.set(namespace, task)
      yield* FiberMap.run(fibers, namespace, task.run)
    }
  })

  const term = Effect.gen(function* () {
    tasks.clear()
    yield* outcomes.keep(new Set())
    const fibers = yield* FiberMap.make<string>()
    yield* cache.changes.pipe(
      Stream.runForEach(({ kind, namespace }) =>
        Effect.sync(() => {
          if (!isDerived.has(kind)) tasks.get(namespace)?.wake()
        })
      ),
      Effect.forkScoped
    )
    yield* cache.synced
    yield* Stream.runForEach(holder.changes, (document) => take(fibers, document))
  })

  yield* Effect.forkScoped(tenure.whileLeading(Effect.scoped(term)))

  return Reconciler.of({
    tasks: Effect.sync(() => new Map(Array.from(tasks, ([namespace, task]) => [namespace, task.state])))
  })
})

export const layer: Layer.Layer<
  Reconciler,
  never,
  ShuttleConfig | KubernetesClient | ClusterCache | DesiredStateHolder | ReconcileOutcomes | Tenure
> = Layer.effect(Reconciler)(make)
