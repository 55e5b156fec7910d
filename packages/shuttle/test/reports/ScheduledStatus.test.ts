import { assert, describe, it } from "@effect/vitest"
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import type { ObservedObject } from "@starform/shuttle/kubernetes/ObservedObject"
import type { AppOutcome } from "@starform/shuttle/reconcile/AppOutcome"
import { observedStatus } from "@starform/shuttle/reports/ObservedStatus"
import type { Seen } from "@starform/shuttle/reports/Seen"
import { Duration } from "effect"
import { desiredApp, process } from "../fixtures/DesiredApps.ts"
import { observedObject } from "../fixtures/ObservedObjects.ts"

const limits = { nowMs: 0, crashesMax: 2, unreachableGrace: Duration.seconds(10) }

const app = desiredApp(
  { deploy: 3 },
  {
    serviceType: "cron",
    processes: [process("cron")],
    schedule: { expression: "@hourly", timeZone: null, concurrency: "forbid" }
  }
)

const annotations = (of: DesiredApp) => ({
  "starform.io/app-id": of.appId,
  "starform.io/deployment-id": of.deployId,
  "starform.io/release-id": of.releaseId,
  "starform.io/deploy-ordinal": String(of.ordinal)
})

const base = (kind: ObservedObject["kind"], name: string, parts: Partial<ObservedObject>) =>
  observedObject(kind, name, { labels: { "starform.io/process": "cron" }, ...parts })

const cronJob = (of: DesiredApp = app, active = 0): ObservedObject =>
  base("CronJob", "c", {
    annotations: annotations(of),
    status: { active: Array.from({ length: active }, (_, index) => ({ name: `run-${index}` })) }
  })

const job = (hour: number, condition: object | null, of: DesiredApp = app): ObservedObject =>
  base("Job", `run-${hour}`, {
    controllerUid: "uid-c",
    annotations: annotations(of),
    status: {
      startTime: `2026-01-01T0${hour}:00:00Z`,
      conditions: condition === null ? [] : [{ status: "True", ...condition }]
    }
  })

const failedPod = (hour: number, terminated: object): ObservedObject =>
  base("Pod", `pod-${hour}`, {
    controllerUid: `uid-run-${hour}`,
    status: { phase: "Failed", containerStatuses: [{ restartCount: 0, state: { terminated } }] }
  })

const failed = { type: "Failed", reason: "BackoffLimitExceeded" }
const complete = { type: "Complete" }

const applied: AppOutcome = { _tag: "Applied", appId: app.appId, ordinal: 3 }

const see = (objects: ReadonlyArray<ObservedObject>, outcome: AppOutcome | undefined = applied): Seen => {
  const seen = observedStatus(app, objects, outcome, limits)
  if (seen === null) throw new Error("nothing to be said")
  return seen
}

const summary = ({ status }: Seen) => [status.phase, status.reason?.code ?? null]

describe("scheduledStatus", () => {
  it("says nothing while nothing is there", () => {
    assert.isNull(observedStatus(app, [], undefined, limits))
  })

  it("is available as soon as the CronJob is there as wanted, before any run, and tells how many runs there are", () => {
    const { status } = see([cronJob(app, 2)])
    assert.deepInclude(status, { phase: "available", ordinal: 3, deployId: app.deployId, reason: null })
    assert.deepStrictEqual(status.processes, [
      { name: app.processes[0]!.name, desiredReplicas: 2, readyReplicas: 2, updatedReplicas: 2 }
    ])
  })

  it("is progressing while the CronJob is of an earlier deploy", () => {
    assert.deepStrictEqual(summary(see([cronJob(desiredApp({ deploy: 2 }))])), ["progressing", null])
  })

  it("is failed when the API refused it, whatever is there of earlier deploys", () => {
    const refused: AppOutcome = {
      _tag: "Refused",
      appId: app.appId,
      ordinal: 3,
      code: "Invalid",
      message: "no"
    }
    assert.deepStrictEqual(summary(see([cronJob(desiredApp({ deploy: 2 }))], refused)), ["failed", "Invalid"])
    assert.deepStrictEqual(summary(see([cronJob()], refused)), ["failed", "Invalid"])
  })

  it("tells of a run that failed without failing the deploy, and whose output explains it", () => {
    const seen = see([cronJob(), job(1, complete), job(2, failed), failedPod(2, { exitCode: 3 })])
    assert.deepStrictEqual(summary(seen), ["available", "RunFailed"])
    assert.strictEqual(seen.status.reason?.message, "the run of 2026-01-01T02:00:00Z exited with status 3")
    assert.deepInclude(seen.failing, { name: "pod-2", isInPreviousRun: false })
  })

  it("says how a run ended: by memory, by a signal, by its deadline, without a trace", () => {
    const told = (...objects: ReadonlyArray<ObservedObject>) =>
      see([cronJob(), ...objects]).status.reason?.message
    assert.match(told(job(1, failed), failedPod(1, { reason: "OOMKilled" })) ?? "", /used more memory/)
    assert.match(told(job(1, failed), failedPod(1, { signal: 9 })) ?? "", /signal 9$/)
    assert.match(
      told(job(1, { type: "Failed", reason: "DeadlineExceeded" })) ?? "",
      /longer than a run may take$/
    )
    assert.match(told(job(1, failed)) ?? "", /failed$/)
  })

  it("forgets a failed run after one that went well, and does not mind one of an earlier release", () => {
    assert.deepStrictEqual(summary(see([cronJob(), job(1, failed), job(2, complete)])), ["available", null])
    assert.deepStrictEqual(summary(see([cronJob(), job(1, failed), job(2, null)])), [
      "available",
      "RunFailed"
    ])
    const earlier = desiredApp({ deploy: 2 })
    assert.deepStrictEqual(summary(see([cronJob(), job(1, failed, earlier)])), ["available", null])
  })
})
