/** Jobs and CronJobs whose pods are real processes. */
import { assert, describe, it } from "@effect/vitest"
import { ClusterObjects, type KubernetesObject } from "@starform/launchpad/kubernetes/ClusterObjects"
import { at } from "@starform/launchpad/kubernetes/kinds/TableColumn"
import { Duration, Effect } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { conditions, create, get, list } from "../controllers/ControllersHarness.ts"
import { ensureNamespace, eventually, namespace, objectsMemory, planes } from "./LocalCluster.ts"
import { makeFolder, writeImage } from "./PodHarness.ts"

const onCluster = <A, E>(use: (folder: string) => Effect.Effect<A, E, ClusterObjects>) =>
  Effect.gen(function* () {
    const folder = yield* makeFolder
    const cluster = planes(folder, {}, { jobBackOffFirst: Duration.millis(100) })
    return yield* Effect.andThen(ensureNamespace, use(folder)).pipe(Effect.provide(cluster))
  }).pipe(Effect.provide(objectsMemory))

const template = (image: string, restartPolicy: string) => ({
  spec: { restartPolicy, terminationGracePeriodSeconds: 2, containers: [{ name: "app", image }] }
})

const createJob = (image: string, restartPolicy: string, spec: Readonly<Record<string, unknown>> = {}) =>
  create("batch/jobs", "batch/v1", "Job", "once", {
    spec: { template: template(image, restartPolicy), ...spec }
  })

const over = (wanted: string) =>
  eventually(wanted, get("batch/jobs", "once"), (job) =>
    conditions(job).some((one) => one.startsWith(wanted))
  )

const isGone = (pid: string) => !fs.existsSync(`/proc/${pid}`)

describe("jobs on the local cluster", () => {
  it.live("runs to its end, once, with restarts in place where it may", () =>
    onCluster((folder) =>
      Effect.gen(function* () {
        const marker = path.join(folder, "marker")
        fs.mkdirSync(marker)
        fs.chmodSync(marker, 0o777)
        const file = JSON.stringify(path.join(marker, "seen"))
        writeImage(
          folder,
          "second-time",
          `const fs = require("node:fs"); fs.appendFileSync(${file}, process.pid + "\\n"); ` +
            `process.exit(fs.readFileSync(${file}, "utf8").split("\\n").length > 2 ? 0 : 3)`
        )
        yield* createJob("second-time", "OnFailure")
        const job = yield* over("Complete=True")
        assert.strictEqual(at(job, "status", "succeeded"), 1)
        const [pod] = yield* list("pods")
        const [container] = at(pod, "status", "containerStatuses") as ReadonlyArray<unknown>
        assert.strictEqual(at(container, "restartCount"), 1)
        assert.strictEqual(at(pod, "status", "phase"), "Succeeded")
      })
    )
  )

  it.live("fails with new pods when it must not restart in place", () =>
    onCluster((folder) =>
      Effect.gen(function* () {
        writeImage(folder, "bad", "process.exit(1)")
        yield* createJob("bad", "Never", { backoffLimit: 1 })
        const job = yield* over("Failed=True")
        assert.strictEqual(at(job, "status", "failed"), 2)
        assert.lengthOf(yield* list("pods"), 2)
      })
    )
  )

  it.live("leaves no process when it is deleted or too late", () =>
    onCluster((folder) =>
      Effect.gen(function* () {
        const objects = yield* ClusterObjects
        const started = path.join(folder, "started")
        fs.mkdirSync(started)
        fs.chmodSync(started, 0o777)
        const file = JSON.stringify(path.join(started, "pid"))
        writeImage(
          folder,
          "long",
          `require("node:fs").writeFileSync(${file}, String(process.pid)); setInterval(() => {}, 1000)`
        )
        const pid = Effect.sync(() => {
          const found = path.join(started, "pid")
          return fs.existsSync(found) ? fs.readFileSync(found, "utf8") : ""
        })
        yield* createJob("long", "Never")
        const first = yield* eventually("started", pid, (found) => found !== "")
        yield* objects.remove({ resource: "batch/jobs", namespace, name: "once" })
        const none = (pods: ReadonlyArray<KubernetesObject>) => pods.length === 0
        yield* eventually("no pod", list("pods"), none)
        assert.isTrue(isGone(first))
        fs.rmSync(path.join(started, "pid"))
        // Long enough to start in on a busy machine.
        yield* createJob("long", "Never", { activeDeadlineSeconds: 5 })
        const second = yield* eventually("started", pid, (found) => found !== "")
        yield* over("Failed=True DeadlineExceeded")
        yield* eventually(
          "ended",
          Effect.sync(() => isGone(second)),
          (gone) => gone
        )
      })
    )
  )

  it.live("does not start a pod again that must run once and that the node's end took with it", () =>
    Effect.gen(function* () {
      const folder = yield* makeFolder
      writeImage(folder, "long", "setInterval(() => {}, 1000)")
      const running = eventually(
        "running",
        list("pods"),
        (pods) => pods.length === 1 && at(pods[0], "status", "phase") === "Running"
      )
      yield* Effect.andThen(ensureNamespace, createJob("long", "Never", { backoffLimit: 0 })).pipe(
        Effect.andThen(running),
        Effect.provide(planes(folder))
      )
      const job = yield* over("Failed=True BackoffLimitExceeded").pipe(Effect.provide(planes(folder)))
      assert.strictEqual(at(job, "status", "failed"), 1)
    }).pipe(Effect.provide(objectsMemory))
  )
})
