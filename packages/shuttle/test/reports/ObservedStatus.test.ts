import { assert, describe, it } from "@effect/vitest"
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import type { ObservedObject } from "@starform/shuttle/kubernetes/ObservedObject"
import type { AppOutcome } from "@starform/shuttle/reconcile/AppOutcome"
import { observedStatus } from "@starform/shuttle/reports/ObservedStatus"
import type { Seen } from "@starform/shuttle/reports/Seen"
import { Duration } from "effect"
import { desiredApp, process } from "../fixtures/DesiredApps.ts"
import { observedObject } from "../fixtures/ObservedObjects.ts"

const limits = {
  nowMs: Date.parse("2026-01-01T00:01:00Z"),
  crashesMax: 2,
  unreachableGrace: Duration.seconds(10)
}

const base = (kind: ObservedObject["kind"], name: string) =>
  observedObject(kind, name, { labels: { "starform.io/process": "web" } })

interface WorkloadParts {
  readonly process?: string
  readonly generation?: number
  readonly observedGeneration?: number
  readonly wanted?: number
  readonly replicas?: number
  readonly updated?: number
  readonly progressing?: { readonly status: string; readonly reason: string }
  /** Why pods could not be made. */
  readonly refusal?: string
  /** Statuses of the pods of the present template. */
  readonly pods?: ReadonlyArray<unknown>
  /** Statuses of pods of an older template. */
  readonly oldPods?: ReadonlyArray<unknown>
}

const workload = (app: DesiredApp, parts: WorkloadParts = {}): ReadonlyArray<ObservedObject> => {
  const name = parts.process ?? "web"
  const labels = { "starform.io/process": name }
  const pods = parts.pods ?? []
  const deployment: ObservedObject = {
    ...base("Deployment", `d-${name}`),
    labels,
    generation: parts.generation ?? 2,
    annotations: {
      "starform.io/app-id": app.appId,
      "starform.io/deployment-id": app.deployId,
      "starform.io/release-id": app.releaseId,
      "starform.io/deploy-ordinal": String(app.ordinal),
      "deployment.kubernetes.io/revision": "2"
    },
    spec: { replicas: parts.wanted ?? 1 },
    status: {
      observedGeneration: parts.observedGeneration ?? 2,
      replicas: parts.replicas ?? pods.length + (parts.oldPods?.length ?? 0),
      updatedReplicas: parts.updated ?? pods.length,
      conditions: [
        { type: "Progressing", status: "True", reason: "ReplicaSetUpdated", ...parts.progressing },
        ...(parts.refusal === undefined
          ? []
          : [{ type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: parts.refusal }])
      ]
    }
  }
  const replicaSet = (revision: string): ObservedObject => ({
    ...base("ReplicaSet", `rs-${name}-${revision}`),
    labels: { ...labels, "pod-template-hash": `hash${revision}` },
    annotations: { "deployment.kubernetes.io/revision": revision },
    controllerUid: deployment.uid
  })
  const pod =
    (revision: string) =>
    (status: unknown, index: number): ObservedObject => ({
      ...base("Pod", `pod-${name}-${revision}-${index}`),
      labels: { ...labels, "pod-template-hash": `hash${revision}` },
      controllerUid: `uid-rs-${name}-${revision}`,
      status
    })
  return [
    deployment,
    replicaSet("1"),
    replicaSet("2"),
    ...pods.map(pod("2")),
    ...(parts.oldPods ?? []).map(pod("1"))
  ]
}

const ready = { conditions: [{ type: "Ready", status: "True" }] }
const starting = {
  startTime: "2026-01-01T00:00:58Z",
  conditions: [{ type: "Ready", status: "False", reason: "ContainersNotReady", message: "" }],
  containerStatuses: [
    { restartCount: 0, ready: false, state: { running: { startedAt: "2026-01-01T00:00:58Z" } } }
  ]
}
const listeningOnNothing = (startedAt: string) => ({
  containerStatuses: [{ restartCount: 0, ready: false, state: { running: { startedAt } } }]
})
const container = (status: unknown) => ({
  conditions: [{ type: "Ready", status: "False" }],
  containerStatuses: [status]
})
const run = (exitCode: number, seconds = 0, more = {}) => ({
  terminated: {
    exitCode,
    startedAt: "2026-01-01T00:00:00Z",
    finishedAt: `2026-01-01T00:00:${String(seconds).padStart(2, "0")}Z`,
    ...more
  }
})
const wrongPort = (startedAt: string) => ({
  startTime: startedAt,
  conditions: [
    { type: "Ready", status: "False", reason: "WrongPort", message: "listens on 3000, but PORT is 41234" }
  ],
  containerStatuses: [{ restartCount: 0, state: { running: { startedAt } } }]
})

const applied = (app: DesiredApp): AppOutcome => ({ _tag: "Applied", appId: app.appId, ordinal: app.ordinal })

const see = (
  app: DesiredApp,
  objects: ReadonlyArray<ObservedObject>,
  outcome: AppOutcome | undefined = applied(app)
): Seen => {
  const seen = observedStatus(app, objects, outcome, limits)
  if (seen === null) throw new Error("nothing to be said")
  return seen
}

const summary = ({ status }: Seen) => [status.phase, status.reason?.code ?? null]

describe("observedStatus", () => {
  const app = desiredApp({ deploy: 3 })

  it("says nothing while nothing is there", () => {
    assert.isNull(observedStatus(app, [], undefined, limits))
    assert.isNull(observedStatus(app, [], applied(app), limits))
  })

  it("is available when every process type is, with all pods of this template (INV-REP-1)", () => {
    const { status } = see(app, workload(app, { pods: [ready] }))
    assert.deepStrictEqual(status, {
      appId: app.appId,
      deployId: app.deployId,
      releaseId: app.releaseId,
      ordinal: 3,
      phase: "available",
      processes: [{ name: app.processes[0]!.name, desiredReplicas: 1, readyReplicas: 1, updatedReplicas: 1 }],
      reason: null,
      output: []
    })
  })

  const notYet: Readonly<Record<string, ReadonlyArray<ObservedObject>>> = {
    "the written generation was not observed": workload(app, { pods: [ready], observedGeneration: 1 }),
    "an old pod still counts": workload(app, { pods: [ready], oldPods: [ready] }),
    "only old pods are ready": workload(app, { pods: [starting], oldPods: [ready], replicas: 2 }),
    "a copy is missing": workload(app, { wanted: 2, pods: [ready] }),
    "no pod is there yet": workload(app, {})
  }
  for (const [why, objects] of Object.entries(notYet)) {
    it(`is progressing while ${why} (INV-REP-1)`, () => {
      assert.deepStrictEqual(summary(see(app, objects)), ["progressing", null])
    })
  }

  it("is progressing while one of two process types is not there yet, available when both are", () => {
    const two = desiredApp({ deploy: 3 }, { processes: [process("web", 1, 8080), process("worker")] })
    const web = workload(two, { pods: [ready] })
    const worker = workload(two, { process: "worker", pods: [ready] })
    assert.strictEqual(see(two, web).status.phase, "progressing")
    assert.strictEqual(see(two, [...web, ...worker]).status.phase, "available")
  })

  it("is available with no copies wanted and none there", () => {
    assert.strictEqual(see(app, workload(app, { wanted: 0 })).status.phase, "available")
  })

  it("waits for a crashed copy to go when no copies are wanted, and does not fail for it", () => {
    const crashed = container({
      restartCount: 5,
      state: { waiting: { reason: "CrashLoopBackOff" } },
      lastState: run(1)
    })
    const parts = { replicas: 1, updated: 1, pods: [crashed] }
    assert.deepStrictEqual(summary(see(app, workload(app, parts))), ["failed", "CrashLoopBackOff"])
    assert.deepStrictEqual(summary(see(app, workload(app, { ...parts, wanted: 0 }))), ["progressing", null])
  })

  it("is not available before the attempt ended well, whatever the pods say", () => {
    const earlier: AppOutcome = { _tag: "Applied", appId: app.appId, ordinal: 2 }
    assert.strictEqual(see(app, workload(app, { pods: [ready] }), earlier).status.phase, "progressing")
  })

  it("reports the deploy that the objects carry, not the one that is wanted (INV-REP-2)", () => {
    const older = desiredApp({ deploy: 2 })
    const { status } = see(app, workload(older, { pods: [ready] }))
    assert.strictEqual(status.ordinal, 2)
    assert.strictEqual(status.deployId, older.deployId)
  })

  const failing: ReadonlyArray<readonly [string, unknown, string, string]> = [
    ["first crash", container({ restartCount: 0, state: run(1) }), "progressing", "CrashLoopBackOff"],
    [
      "second crash",
      container({ restartCount: 1, state: run(1), lastState: run(1) }),
      "failed",
      "CrashLoopBackOff"
    ],
    [
      "back-off",
      container({ restartCount: 1, state: { waiting: { reason: "CrashLoopBackOff" } }, lastState: run(2) }),
      "failed",
      "CrashLoopBackOff"
    ],
    [
      "out of memory",
      container({ restartCount: 2, state: { running: {} }, lastState: run(137, 1, { reason: "OOMKilled" }) }),
      "failed",
      "OOMKilled"
    ],
    [
      "image that cannot be had",
      container({ state: { waiting: { reason: "ImagePullBackOff", message: "no such image" } } }),
      "failed",
      "ImagePullBackOff"
    ],
    [
      "image that could not be had once",
      container({ state: { waiting: { reason: "ErrImagePull" } } }),
      "progressing",
      "ImagePullBackOff"
    ],
    [
      "container that cannot be made",
      container({ state: { waiting: { reason: "CreateContainerConfigError" } } }),
      "failed",
      "ContainerConfigInvalid"
    ],
    [
      "a process that listens on nothing for a while",
      { ...starting, ...listeningOnNothing("2026-01-01T00:00:30Z") },
      "progressing",
      "PortNotOpen"
    ],
    ["wrong port just now", wrongPort("2026-01-01T00:00:55Z"), "progressing", "WrongPort"],
    ["wrong port for long", wrongPort("2026-01-01T00:00:30Z"), "failed", "WrongPort"],
    [
      "no room",
      { conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable" }] },
      "progressing",
      "Unschedulable"
    ]
  ]
  for (const [name, pod, phase, code] of failing) {
    it(`is ${phase} with ${code} for a pod with ${name}, while an older pod serves (INV-REP-3)`, () => {
      assert.deepStrictEqual(summary(see(app, workload(app, { pods: [pod], oldPods: [ready] }))), [
        phase,
        code
      ])
    })
  }

  it("looks again at a pod that has not become ready: silence becomes a reason by time alone", () => {
    const seen = see(app, workload(app, { pods: [starting], oldPods: [ready] }))
    assert.deepStrictEqual([...summary(seen), seen.isTicking], ["progressing", null, true])
  })

  it("names what a process listens on, and says whose output explains it", () => {
    const seen = see(app, workload(app, { pods: [wrongPort("2026-01-01T00:00:30Z")] }))
    assert.strictEqual(seen.status.reason?.message, "listens on 3000, but PORT is 41234")
    assert.deepInclude(seen.failing, { name: "pod-web-2-0", isInPreviousRun: false })
  })

  it("tells a start-up check that ended the process from a process that ended itself", () => {
    const slow = desiredApp({ deploy: 3 }, { startupSeconds: 5, healthPath: "/healthz" })
    const killed = container({ restartCount: 2, state: { running: {} }, lastState: run(143, 6) })
    const died = container({ restartCount: 2, state: { running: {} }, lastState: run(1, 2) })
    assert.deepStrictEqual(summary(see(slow, workload(slow, { pods: [killed] }))), [
      "failed",
      "HealthCheckFailed"
    ])
    assert.deepStrictEqual(summary(see(slow, workload(slow, { pods: [died] }))), [
      "failed",
      "CrashLoopBackOff"
    ])
    const bare = desiredApp({ deploy: 3 }, { startupSeconds: 5 })
    assert.deepStrictEqual(summary(see(bare, workload(bare, { pods: [killed] }))), ["failed", "PortNotOpen"])
  })

  it("is failed past the progress deadline, and says so in terms of the health check when there is one", () => {
    const late = { status: "False", reason: "ProgressDeadlineExceeded" }
    assert.deepStrictEqual(summary(see(app, workload(app, { pods: [starting], progressing: late }))), [
      "failed",
      "ProgressDeadlineExceeded"
    ])
    const checked = desiredApp({ deploy: 3 }, { healthPath: "/healthz" })
    assert.deepStrictEqual(
      summary(see(checked, workload(checked, { pods: [starting], progressing: late }))),
      ["failed", "HealthCheckFailed"]
    )
  })

  const overQuota =
    'pods "d-web-x" is forbidden: exceeded quota: starform, requested: pods=1, used: pods=200, limited: pods=200'

  it("says that the project's limits leave no room, and fails for it once it is late", () => {
    const seen = see(app, workload(app, { refusal: overQuota, oldPods: [ready] }))
    assert.deepStrictEqual(summary(seen), ["progressing", "QuotaExceeded"])
    assert.include(seen.status.reason?.message, "requested: pods=1, used: pods=200, limited: pods=200")
    const late = { status: "False", reason: "ProgressDeadlineExceeded" }
    assert.deepStrictEqual(summary(see(app, workload(app, { refusal: overQuota, progressing: late }))), [
      "failed",
      "QuotaExceeded"
    ])
    const refusal = "maximum cpu usage per Container is 4, but limit is 8"
    assert.deepStrictEqual(summary(see(app, workload(app, { refusal }))), ["progressing", "PodsRefused"])
  })

  it("tells how many copies the cluster wants of what scales by itself, and is not degraded by growing", () => {
    const [web] = app.processes
    const autoscaling = { minReplicas: 2, maxReplicas: 9, cpuPercent: 70, memoryPercent: null }
    const scaling = desiredApp({ deploy: 3 }, { processes: [{ ...web!, autoscaling }] })
    const complete = { status: "True", reason: "NewReplicaSetAvailable" }
    const growing = { wanted: 5, pods: [ready, ready, starting], progressing: complete }
    const { status } = see(scaling, workload(scaling, growing))
    assert.strictEqual(status.phase, "available")
    assert.deepInclude(status.processes[0], { desiredReplicas: 5, readyReplicas: 2, updatedReplicas: 3 })
    assert.strictEqual(see(app, workload(app, growing)).status.phase, "degraded")
    const notEnough = { ...growing, pods: [ready, starting, starting] }
    assert.strictEqual(see(scaling, workload(scaling, notEnough)).status.phase, "degraded")
    const first = { wanted: 2, pods: [ready, starting] }
    assert.strictEqual(see(scaling, workload(scaling, first)).status.phase, "progressing")
  })

  it("is degraded, not failed, when a release that was complete loses a pod (INV-REP-4)", () => {
    const complete = { status: "True", reason: "NewReplicaSetAvailable" }
    const crashing = container({
      restartCount: 5,
      state: { waiting: { reason: "CrashLoopBackOff" } },
      lastState: run(1)
    })
    const seen = see(app, workload(app, { pods: [crashing], progressing: complete }))
    assert.deepStrictEqual(summary(seen), ["degraded", "CrashLoopBackOff"])
  })

  it("is failed for an attempt that was refused, with its ordinal and no deploy (INV-REP-2)", () => {
    const refused: AppOutcome = {
      _tag: "Refused",
      appId: app.appId,
      ordinal: 3,
      code: "Invalid",
      message: "no"
    }
    const older = desiredApp({ deploy: 2 })
    const { status } = see(app, workload(older, { pods: [ready] }), refused)
    assert.deepInclude(status, { phase: "failed", ordinal: 3, deployId: null, releaseId: null })
    const half = see(app, workload(app, { pods: [ready] }), refused)
    assert.deepStrictEqual(summary(half), ["failed", "Invalid"])
  })

  it("is progressing, with a reason, for an attempt that is being retried", () => {
    const retrying: AppOutcome = {
      _tag: "Retrying",
      appId: app.appId,
      ordinal: 3,
      code: "ClusterUnavailable",
      message: "later"
    }
    const older = desiredApp({ deploy: 2 })
    assert.deepStrictEqual(summary(see(app, workload(older, { pods: [ready] }), retrying)), [
      "progressing",
      "ClusterUnavailable"
    ])
  })
})
