import { assert, describe, it } from "@effect/vitest"
import { ClusterObjects } from "@starform/launchpad/kubernetes/ClusterObjects"
import { at } from "@starform/launchpad/kubernetes/kinds/TableColumn"
import type { PodUse } from "@starform/launchpad/kubernetes/PodMetrics"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { namespace } from "../runtime/LocalCluster.ts"
import { conditions, controlled, create, get, list, play, rest, until } from "./ControllersHarness.ts"

const selector = { matchLabels: { app: "web" } }

const web = (
  replicas: number,
  requests: Readonly<Record<string, string>> = { cpu: "100m", memory: "100Mi" }
) =>
  create("apps/deployments", "apps/v1", "Deployment", "web", {
    spec: {
      replicas,
      selector,
      template: {
        metadata: { labels: { app: "web" } },
        spec: { containers: [{ name: "app", image: "x", resources: { requests } }] }
      }
    }
  })

const percent = (name: string, averageUtilization: number) => ({
  type: "Resource",
  resource: { name, target: { type: "Utilization", averageUtilization } }
})

const createAutoscaler = (spec: Readonly<Record<string, unknown>> = {}, name = "web") =>
  create("autoscaling/horizontalpodautoscalers", "autoscaling/v2", "HorizontalPodAutoscaler", name, {
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" },
      maxReplicas: 10,
      metrics: [percent("cpu", 50)],
      ...spec
    }
  })

const autoscaler = get("autoscaling/horizontalpodautoscalers", "web")
const replicas = Effect.map(get("apps/deployments", "web"), (found) => at(found, "spec", "replicas"))

interface Load {
  millicores: number
  megabytes: number
}

/** Every pod of `load` uses the same; pods run as soon as they are there. */
const onCluster = <A, E>(
  use: (
    load: Load,
    runAll: Effect.Effect<void, unknown, ClusterObjects>
  ) => Effect.Effect<A, E, ClusterObjects>
) => {
  const load: Load = { millicores: 50, megabytes: 50 }
  let running: ReadonlyArray<string> = []
  const uses = Effect.map(Clock.currentTimeMillis, (atMs) =>
    running.map((name): PodUse => ({
      namespace,
      name,
      atMs,
      windowMs: 15_000,
      containers: [
        { name: "app", cpuNanos: load.millicores * 1_000_000, memoryBytes: load.megabytes * 1024 * 1024 }
      ]
    }))
  )
  const runAll = Effect.gen(function* () {
    yield* rest
    for (const pod of yield* list("pods")) {
      if (at(pod, "status", "phase") === "Pending") yield* play(pod, "Running")
    }
    running = (yield* list("pods")).map(({ metadata }) => metadata.name)
    yield* rest
  })
  return controlled(use(load, runAll), uses)
}

/** A look at the autoscaler each time. Whoever has not come to rest would go to sleep only when the time is over. */
const periods = (count: number) =>
  rest.pipe(
    Effect.andThen(TestClock.adjust("15 seconds")),
    Effect.repeat({ times: count - 1 }),
    Effect.andThen(rest)
  )

describe("a HorizontalPodAutoscaler", () => {
  it.effect("leaves alone what is on target within a tenth, and adds pods in proportion beyond", () =>
    onCluster((load, runAll) =>
      Effect.gen(function* () {
        yield* web(2)
        yield* runAll
        yield* TestClock.adjust("1 minutes")
        load.millicores = 54
        yield* createAutoscaler()
        yield* until("looked", autoscaler, (found) => conditions(found).length === 3)
        assert.strictEqual(yield* replicas, 2)
        assert.deepStrictEqual(conditions(yield* autoscaler), [
          "AbleToScale=True ReadyForNewScale",
          "ScalingActive=True ValidMetricFound",
          "ScalingLimited=False DesiredWithinRange"
        ])
        assert.deepStrictEqual(at(yield* autoscaler, "status", "currentMetrics"), [
          {
            type: "Resource",
            resource: { name: "cpu", current: { averageUtilization: 54, averageValue: "54m" } }
          }
        ])
        load.millicores = 90
        yield* periods(1)
        yield* until("scaled", replicas, (count) => count === 4)
        const scaled = yield* until(
          "told",
          autoscaler,
          (one) => conditions(one)[0]?.includes("Rescale") === true
        )
        assert.strictEqual(conditions(scaled)[0], "AbleToScale=True SucceededRescale")
        assert.deepInclude(scaled?.["status"], { currentReplicas: 2, desiredReplicas: 4 })
        const told = yield* until("event", list("events"), (events) =>
          events.some((event) => at(event, "reason") === "SuccessfulRescale")
        )
        assert.include(
          told.map((event) => at(event, "message")),
          "New size: 4; reason: cpu resource utilization (percentage of request) above target"
        )
        const owner = (yield* get("apps/deployments", "web"))?.metadata.managedFields ?? []
        assert.isTrue(owner.some((entry) => at(entry, "subresource") === "scale"))
      })
    )
  )

  it.effect("goes no further than its bounds and the pace, and says so", () =>
    onCluster((load, runAll) =>
      Effect.gen(function* () {
        yield* web(1)
        yield* runAll
        yield* TestClock.adjust("1 minutes")
        load.millicores = 1000
        yield* createAutoscaler()
        yield* until("four at once", replicas, (count) => count === 4)
        yield* until("told", autoscaler, (one) =>
          conditions(one).includes("ScalingLimited=True ScaleUpLimit")
        )
        yield* runAll
        yield* periods(1)
        yield* until("twice as many", replicas, (count) => count === 8)
        yield* runAll
        yield* periods(2)
        yield* until("at most", replicas, (count) => count === 10)
        yield* periods(1)
        yield* until("told", autoscaler, (one) =>
          conditions(one).includes("ScalingLimited=True TooManyReplicas")
        )
      })
    )
  )

  it.effect("takes pods away only when fewer were enough for five minutes", () =>
    onCluster((load, runAll) =>
      Effect.gen(function* () {
        yield* web(4)
        yield* runAll
        yield* TestClock.adjust("1 minutes")
        load.millicores = 10
        yield* createAutoscaler({ minReplicas: 2 })
        yield* until("looked", autoscaler, (one) =>
          conditions(one).includes("AbleToScale=True ScaleDownStabilized")
        )
        yield* periods(19)
        assert.strictEqual(yield* replicas, 4)
        yield* periods(1)
        yield* until("fewer", replicas, (count) => count === 2)
        yield* periods(1)
        yield* until("told", autoscaler, (one) =>
          conditions(one).includes("ScalingLimited=True TooFewReplicas")
        )
      })
    )
  )

  it.effect("follows the metric that asks for most", () =>
    onCluster((load, runAll) =>
      Effect.gen(function* () {
        yield* web(2)
        yield* runAll
        yield* TestClock.adjust("1 minutes")
        load.millicores = 60
        load.megabytes = 120
        yield* createAutoscaler({ metrics: [percent("cpu", 50), percent("memory", 80)] })
        yield* until("by cpu 3, by memory 3", replicas, (count) => count === 3)
        load.megabytes = 200
        yield* runAll
        yield* periods(2)
        yield* until("by memory", replicas, (count) => typeof count === "number" && count >= 7)
      })
    )
  )

  it.effect("does not count the processor time of pods that are not ready yet as a reason for more", () =>
    onCluster((load, runAll) =>
      Effect.gen(function* () {
        yield* web(1)
        yield* runAll
        yield* TestClock.adjust("1 minutes")
        load.millicores = 100
        yield* createAutoscaler()
        yield* until("two", replicas, (count) => count === 2)
        yield* periods(8)
        assert.strictEqual(yield* replicas, 2, "the second is not there yet: the two together are on target")
      })
    )
  )

  it.effect("says what is missing: the target, the requests, the measurements", () =>
    onCluster((_load, runAll) =>
      Effect.gen(function* () {
        const reason = (wanted: string) =>
          Effect.map(
            until(wanted, autoscaler, (one) => JSON.stringify(one?.["status"] ?? "").includes(wanted)),
            (one) => JSON.stringify(at(one, "status", "conditions"))
          )
        yield* createAutoscaler()
        assert.include(yield* reason("FailedGetScale"), 'deployments.apps \\"web\\" not found')
        yield* web(1, {})
        yield* periods(1)
        assert.include(
          yield* reason("no metrics returned"),
          "failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API"
        )
        yield* runAll
        yield* periods(1)
        assert.include(
          yield* reason("missing request"),
          "failed to get cpu utilization: missing request for cpu in container app of Pod web-"
        )
        assert.strictEqual(yield* replicas, 1)
      })
    )
  )

  it.effect("scales nothing that another autoscaler claims too", () =>
    onCluster((load, runAll) =>
      Effect.gen(function* () {
        yield* web(1)
        yield* runAll
        yield* TestClock.adjust("1 minutes")
        yield* createAutoscaler({}, "other")
        yield* createAutoscaler()
        yield* periods(1)
        const found = yield* until("looked", autoscaler, (one) =>
          conditions(one).includes("ScalingActive=False AmbiguousSelector")
        )
        assert.include(
          JSON.stringify(at(found, "status", "conditions")),
          "pods by selector app=web are controlled by multiple HPAs: [shop/other shop/web]"
        )
        load.millicores = 1000
        yield* periods(2)
        assert.strictEqual(yield* replicas, 1)
        const objects = yield* ClusterObjects
        yield* objects.remove({ resource: "autoscaling/horizontalpodautoscalers", namespace, name: "other" })
        yield* periods(1)
        yield* until("alone", replicas, (count) => count === 4)
      })
    )
  )

  it.effect("leaves a workload of no pods alone, and brings one back into its bounds", () =>
    onCluster(() =>
      Effect.gen(function* () {
        yield* web(0)
        yield* createAutoscaler({ minReplicas: 2 })
        yield* until("off", autoscaler, (one) =>
          conditions(one).includes("ScalingActive=False ScalingDisabled")
        )
        const objects = yield* ClusterObjects
        yield* objects.modify({ resource: "apps/deployments", namespace, name: "web" }, (object) => ({
          ...object,
          spec: { ...(object["spec"] as object), replicas: 1 }
        }))
        yield* periods(1)
        yield* until("at least", replicas, (count) => count === 2)
      })
    )
  )
})
