import { assert, describe, it } from "@effect/vitest"
import { ClusterObjects, type KubernetesObject } from "@starform/launchpad/kubernetes/ClusterObjects"
import { at } from "@starform/launchpad/kubernetes/kinds/TableColumn"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { namespace } from "../runtime/LocalCluster.ts"
import {
  conditions,
  controlled,
  create,
  get,
  list,
  play,
  rest,
  setSpec,
  until
} from "./ControllersHarness.ts"

const createJob = (spec: Readonly<Record<string, unknown>> = {}, restartPolicy = "Never") =>
  create("batch/jobs", "batch/v1", "Job", "once", {
    spec: { template: { spec: { restartPolicy, containers: [{ name: "app", image: "x" }] } }, ...spec }
  })

const job = get("batch/jobs", "once")
const pods = list("pods")
const status = (key: string) => (object: KubernetesObject | undefined) => at(object, "status", key)

const isActive = (pod: KubernetesObject) =>
  !["Succeeded", "Failed"].includes(String(at(pod, "status", "phase"))) &&
  pod.metadata.deletionTimestamp === undefined

/** The one pod that is there to run. */
const runningPod = Effect.map(
  until("one pod", pods, (all) => all.filter(isActive).length === 1),
  (all) => all.filter(isActive)[0] as KubernetesObject
)

const turns = (...wanted: ReadonlyArray<string>) =>
  Effect.map(
    until(wanted.join(), job, (found) => conditions(found).length === wanted.length),
    (found) => {
      assert.deepStrictEqual(conditions(found), wanted)
      return found
    }
  )

describe("a Job", () => {
  it.effect("is complete when its pod has succeeded, and lets go of the pod", () =>
    controlled(
      Effect.gen(function* () {
        yield* createJob()
        const pod = yield* runningPod
        assert.match(pod.metadata.name, /^once-[a-z0-9]{5}$/)
        assert.deepStrictEqual(pod.metadata.finalizers, ["batch.kubernetes.io/job-tracking"])
        yield* play(pod, "Running")
        yield* until("ready", job, (found) => status("ready")(found) === 1 && status("active")(found) === 1)
        yield* play(pod, "Succeeded")
        const done = yield* turns(
          "SuccessCriteriaMet=True CompletionsReached",
          "Complete=True CompletionsReached"
        )
        assert.deepInclude(done?.["status"], {
          succeeded: 1,
          ready: 0,
          terminating: 0,
          uncountedTerminatedPods: {},
          completionTime: "1970-01-01T00:00:00Z"
        })
        const [kept] = yield* pods
        assert.isUndefined(kept?.metadata.finalizers)
      })
    )
  )

  it.effect("waits longer after each failure, and gives up beyond its limit", () =>
    controlled(
      Effect.gen(function* () {
        yield* createJob({ backoffLimit: 2 })
        yield* play(yield* runningPod, "Failed")
        yield* until("counted", job, (found) => status("failed")(found) === 1)
        yield* rest
        yield* TestClock.adjust("9 seconds")
        assert.lengthOf((yield* pods).filter(isActive), 0)
        yield* TestClock.adjust("1 seconds")
        yield* play(yield* runningPod, "Failed")
        yield* until("counted", job, (found) => status("failed")(found) === 2)
        yield* rest
        yield* TestClock.adjust("19 seconds")
        assert.lengthOf((yield* pods).filter(isActive), 0)
        yield* TestClock.adjust("1 seconds")
        yield* play(yield* runningPod, "Failed")
        const lost = yield* turns(
          "FailureTarget=True BackoffLimitExceeded",
          "Failed=True BackoffLimitExceeded"
        )
        assert.strictEqual(status("failed")(lost), 3)
        yield* TestClock.adjust("1 hour")
        assert.lengthOf(yield* pods, 3)
      })
    )
  )

  it.effect("counts restarts in place against its limit", () =>
    controlled(
      Effect.gen(function* () {
        yield* createJob({ backoffLimit: 1 }, "OnFailure")
        const pod = yield* runningPod
        yield* play(pod, "Running", 1)
        const objects = yield* ClusterObjects
        yield* until("taken away", pods, (all) => all.every((one) => !isActive(one)))
        yield* turns("FailureTarget=True BackoffLimitExceeded")
        yield* objects.remove(
          { resource: "pods", namespace, name: pod.metadata.name },
          { gracePeriodSeconds: 0 }
        )
        yield* turns("FailureTarget=True BackoffLimitExceeded", "Failed=True BackoffLimitExceeded")
      })
    )
  )

  it.effect("ends at its deadline, and is gone when its time is over", () =>
    controlled(
      Effect.gen(function* () {
        yield* createJob({ activeDeadlineSeconds: 60, ttlSecondsAfterFinished: 100 })
        const pod = yield* runningPod
        yield* play(pod, "Running")
        yield* rest
        yield* TestClock.adjust("60 seconds")
        yield* turns("FailureTarget=True DeadlineExceeded")
        yield* play(pod, "Failed")
        yield* turns("FailureTarget=True DeadlineExceeded", "Failed=True DeadlineExceeded")
        yield* rest
        yield* TestClock.adjust("99 seconds")
        assert.isDefined(yield* job)
        yield* TestClock.adjust("1 seconds")
        yield* until("gone", job, (found) => found === undefined)
      })
    )
  )

  it.effect("runs as many at once as it says, and replaces a pod that somebody took away", () =>
    controlled(
      Effect.gen(function* () {
        yield* createJob({ parallelism: 2, completions: 3 })
        const [first, second] = yield* until("two", pods, (all) => all.length === 2)
        const objects = yield* ClusterObjects
        const name = first?.metadata.name ?? ""
        yield* objects.remove({ resource: "pods", namespace, name }, { gracePeriodSeconds: 0 })
        yield* until("counted", job, (found) => status("failed")(found) === 1)
        yield* rest
        yield* TestClock.adjust("10 seconds")
        yield* until("two again", pods, (all) => all.filter(isActive).length === 2)
        if (second !== undefined) yield* play(second, "Succeeded")
        yield* until("one more", pods, (all) => all.filter(isActive).length === 2)
        for (const pod of (yield* pods).filter(isActive)) yield* play(pod, "Succeeded")
        yield* turns("SuccessCriteriaMet=True CompletionsReached", "Complete=True CompletionsReached")
      })
    )
  )

  it.effect("takes its pods back while it is suspended", () =>
    controlled(
      Effect.gen(function* () {
        yield* createJob({ suspend: true })
        const found = yield* turns("Suspended=True JobSuspended")
        assert.isUndefined(status("startTime")(found))
        assert.lengthOf(yield* pods, 0)
        yield* setSpec("batch/jobs", "once", { suspend: false })
        yield* runningPod
        yield* turns("Suspended=False JobResumed")
      })
    )
  )

  it.effect("leaves no pod when it is deleted", () =>
    controlled(
      Effect.gen(function* () {
        yield* createJob()
        const pod = yield* runningPod
        const isPlaced = (all: ReadonlyArray<KubernetesObject>) =>
          at(all[0], "spec", "nodeName") !== undefined
        yield* until("placed", pods, isPlaced)
        const objects = yield* ClusterObjects
        yield* objects.remove({ resource: "batch/jobs", namespace, name: "once" })
        // The node still ends its processes.
        const isLeaving = ({ metadata }: KubernetesObject) =>
          metadata.finalizers === undefined && metadata.deletionTimestamp !== undefined
        yield* until("let go", pods, (all) => all.every(isLeaving))
        assert.lengthOf(yield* pods, 1)
        yield* objects.remove(
          { resource: "pods", namespace, name: pod.metadata.name },
          { gracePeriodSeconds: 0 }
        )
        assert.lengthOf(yield* pods, 0)
      })
    )
  )
})
