import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { snapshotIdInput } from "@starform/domain/observed/PodSnapshot"
import { ObjectIndex } from "@starform/shuttle/kubernetes/ObjectIndex"
import { fromWire, type ObservedObject } from "@starform/shuttle/kubernetes/ObservedObject"
import { appLabels, processLabel } from "@starform/shuttle/manifests/ShuttleLabels"
import { podSnapshots } from "@starform/shuttle/reports/PodSnapshots"
import { clusterId, desiredApp } from "../fixtures/DesiredApps.ts"

const app = desiredApp()
const labels = { ...appLabels(app, clusterId), [processLabel]: "web" }
const at = Date.parse("2026-03-04T05:06:07.890Z")

let version = 0

const made = (
  kind: "Deployment" | "ReplicaSet" | "Pod",
  uid: string,
  by: string | null,
  parts: Partial<ObservedObject> = {},
  wire: object = {}
): ObservedObject => ({
  ...fromWire(kind, {
    metadata: {
      name: uid,
      namespace: app.namespace,
      uid,
      resourceVersion: String(++version),
      labels,
      ...(by === null ? {} : { ownerReferences: [{ uid: by, controller: true }] })
    },
    ...wire
  }),
  ...parts
})

const running = {
  spec: {
    nodeName: "n",
    containers: [{ image: "i", resources: { requests: { cpu: "250m", memory: "512Mi" } } }]
  },
  status: { phase: "Running" }
}

const deployment = made("Deployment", "d1", null, { ownedFields: "ours" })
const replicaSet = made("ReplicaSet", "r1", "d1")

const sweep = (...objects: ReadonlyArray<ObservedObject>) => {
  const index = new ObjectIndex()
  for (const object of objects) index.put(object)
  return podSnapshots(index, clusterId, at)
}

describe("podSnapshots", () => {
  it("INV-REP-8 tells each pod of ours with its app, process, phase and requests, in the sweep's minute", () => {
    const pod = made("Pod", "p1", "r1", {}, running)
    const [snapshot, ...others] = sweep(deployment, replicaSet, pod)
    assert.lengthOf(others, 0)
    if (snapshot === undefined) return assert.fail("no snapshot")
    const { snapshotId, ...facts } = snapshot
    assert.deepStrictEqual(facts as unknown, {
      workspaceId: app.workspaceId,
      projectId: app.projectId,
      environment: app.environment,
      serviceId: app.serviceId,
      process: "web",
      podId: "p1",
      phase: "Running",
      tier: app.tier,
      cpuMillicores: 250,
      memoryMebibytes: 512,
      snapshotTimestamp: "2026-03-04T05:06:00Z"
    })
    assert.strictEqual(snapshotId, createHash("sha256").update(snapshotIdInput(snapshot)).digest("hex"))
  })

  it("keeps nothing of a pod's spec but its requests", () => {
    assert.deepStrictEqual(made("Pod", "p1", "r1", {}, running).spec, {
      cpuMillicores: 250,
      memoryMebibytes: 512
    })
  })

  it("counts existence: pending and ending pods too, ended ones not", () => {
    const podOf = (uid: string, phase: string, parts: Partial<ObservedObject> = {}) =>
      made("Pod", uid, "r1", parts, { ...running, status: { phase } })
    const told = sweep(
      deployment,
      replicaSet,
      podOf("pending", "Pending"),
      podOf("ending", "Running", { deleting: true }),
      podOf("succeeded", "Succeeded"),
      podOf("failed", "Failed")
    )
    assert.sameMembers(
      told.map(({ podId }) => podId),
      ["pending", "ending"]
    )
  })

  it("tells of an ending pod whose makers are gone already", () => {
    const pod = made("Pod", "p1", "r1", { deleting: true }, running)
    assert.lengthOf(sweep(pod), 1)
  })

  it.each([
    ["without a maker", made("Pod", "p1", null, {}, running)],
    ["whose maker nobody shows", made("Pod", "p1", "elsewhere", {}, running)],
    [
      "of another cluster",
      made("Pod", "p1", "r1", { labels: { ...labels, "starform.io/cluster-id": "0" } }, running)
    ],
    [
      "without its app",
      made("Pod", "p1", "r1", { labels: { "starform.io/managed-by": "shuttle" } }, running)
    ],
    ["that is not known to have a spec", made("Pod", "p1", "r1", {}, { status: running.status })]
  ])("tells of no pod %s", (_, pod) => {
    assert.lengthOf(sweep(deployment, replicaSet, pod), 0)
  })

  it("tells of no pod whose Deployment somebody else wrote with our labels", () => {
    const copied = made("Deployment", "d1", null, { ownedFields: null })
    assert.lengthOf(sweep(copied, replicaSet, made("Pod", "p1", "r1", {}, running)), 0)
  })
})
