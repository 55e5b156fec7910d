import { assert, describe, it } from "@effect/vitest"
import { ClusterObjects, type KubernetesObject } from "@starform/launchpad/kubernetes/ClusterObjects"
import { at } from "@starform/launchpad/kubernetes/kinds/TableColumn"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { namespace } from "../runtime/LocalCluster.ts"
import { controlled, create, get, list, play, rest, setSpec, until } from "./ControllersHarness.ts"

const createCronJob = (spec: Readonly<Record<string, unknown>> = {}) =>
  create("batch/cronjobs", "batch/v1", "CronJob", "tick", {
    spec: {
      schedule: "*/10 * * * *",
      jobTemplate: {
        metadata: { labels: { of: "tick" } },
        spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "app", image: "x" }] } } }
      },
      ...spec
    }
  })

const cronJob = get("batch/cronjobs", "tick")
const jobs = Effect.map(list("batch/jobs"), (all) => all.map(({ metadata }) => metadata.name).sort())

const names = (...wanted: ReadonlyArray<string>) =>
  until(wanted.join(), jobs, (found) => found.join() === wanted.join())

const podOf = (job: string) =>
  Effect.map(
    until(job, list("pods"), (all) => all.some((pod) => pod.metadata.name.startsWith(job))),
    (all) => all.find((pod) => pod.metadata.name.startsWith(job)) as KubernetesObject
  )

const finish = Effect.fnUntraced(function* (job: string, phase: "Succeeded" | "Failed") {
  yield* play(yield* podOf(job), phase)
  yield* until(`${job} over`, get("batch/jobs", job), (found) => JSON.stringify(found).includes("Complete"))
})

const status = (key: string) => Effect.map(cronJob, (found) => at(found, "status", key))

const active = Effect.map(status("active"), (found) => (Array.isArray(found) ? found.length : 0))

describe("a CronJob", () => {
  it.effect("makes a job when it is due, and tells which and when", () =>
    controlled(
      Effect.gen(function* () {
        yield* createCronJob()
        yield* rest
        yield* TestClock.adjust("599 seconds")
        assert.deepStrictEqual(yield* jobs, [])
        yield* rest
        yield* TestClock.adjust("1 seconds")
        yield* names("tick-10")
        assert.strictEqual(yield* status("lastScheduleTime"), "1970-01-01T00:10:00Z")
        assert.strictEqual(yield* active, 1)
        const made = yield* get("batch/jobs", "tick-10")
        assert.deepInclude(made?.metadata.labels, { of: "tick" })
        assert.strictEqual(
          made?.metadata.annotations?.["batch.kubernetes.io/cronjob-scheduled-timestamp"],
          "1970-01-01T00:10:00Z"
        )
        yield* finish("tick-10", "Succeeded")
        yield* until("told", active, (count) => count === 0)
        assert.strictEqual(yield* status("lastSuccessfulTime"), "1970-01-01T00:10:00Z")
      })
    )
  )

  it.effect("reads its schedule in its time zone", () =>
    controlled(
      Effect.gen(function* () {
        yield* createCronJob({ schedule: "0 10 * * *", timeZone: "Asia/Tokyo" })
        yield* rest
        yield* TestClock.adjust("59 minutes")
        assert.deepStrictEqual(yield* jobs, [])
        yield* rest
        yield* TestClock.adjust("1 minutes")
        yield* names("tick-60")
      })
    )
  )

  for (const [policy, wanted] of [
    ["Allow", ["tick-10", "tick-20"]],
    ["Forbid", ["tick-10"]],
    ["Replace", ["tick-20"]]
  ] as const) {
    it.effect(`with the policy ${policy}, when the last job still runs`, () =>
      controlled(
        Effect.gen(function* () {
          yield* createCronJob({ concurrencyPolicy: policy })
          yield* rest
          yield* TestClock.adjust("10 minutes")
          yield* play(yield* podOf("tick-10"), "Running")
          yield* rest
          yield* TestClock.adjust("10 minutes")
          yield* names(...wanted)
          yield* until("active", active, (count) => count === wanted.length)
          if (policy !== "Forbid") return
          yield* finish("tick-10", "Succeeded")
          yield* names("tick-10", "tick-20")
        })
      )
    )
  }

  it.effect("makes nothing while it is suspended, then the latest that it missed", () =>
    controlled(
      Effect.gen(function* () {
        yield* createCronJob({ suspend: true })
        yield* rest
        yield* TestClock.adjust("35 minutes")
        assert.deepStrictEqual(yield* jobs, [])
        yield* setSpec("batch/cronjobs", "tick", { suspend: false })
        yield* names("tick-30")
      })
    )
  )

  it.effect("does not make up for a time that is too long ago", () =>
    controlled(
      Effect.gen(function* () {
        yield* createCronJob({ suspend: true, startingDeadlineSeconds: 60 })
        yield* rest
        yield* TestClock.adjust("35 minutes")
        yield* setSpec("batch/cronjobs", "tick", { suspend: false })
        yield* rest
        yield* TestClock.adjust("4 minutes")
        assert.deepStrictEqual(yield* jobs, [])
        yield* rest
        yield* TestClock.adjust("1 minutes")
        yield* names("tick-40")
      })
    )
  )

  it.effect("keeps as many finished jobs as it says", () =>
    controlled(
      Effect.gen(function* () {
        yield* createCronJob({ successfulJobsHistoryLimit: 2 })
        for (const minute of [10, 20, 30]) {
          yield* rest
          yield* TestClock.adjust("10 minutes")
          yield* finish(`tick-${minute}`, "Succeeded")
        }
        yield* names("tick-20", "tick-30")
        const objects = yield* ClusterObjects
        yield* objects.remove({ resource: "batch/cronjobs", namespace, name: "tick" })
        yield* names()
      })
    )
  )
})
