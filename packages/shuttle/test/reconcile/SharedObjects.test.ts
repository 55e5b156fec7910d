import { assert, describe, it } from "@effect/vitest"
import { NamespaceName } from "@starform/domain/ids/Slug"
import { referenceOf } from "@starform/shuttle/kubernetes/Manifest"
import { keyOf } from "@starform/shuttle/kubernetes/ResourceKind"
import { describeStep, type Step } from "@starform/shuttle/reconcile/PlanStep"
import { ownerOf } from "@starform/shuttle/reconcile/DesiredProject"
import { desiredApp, process, tombstoneOf, variable, varGroup } from "../fixtures/DesiredApps.ts"
import { heldDocument, projectOf, projectsOf, SimulatedCluster } from "../fixtures/SimulatedCluster.ts"

const namespace = "proj-shop-1"
const group = varGroup(1, 1, [variable("A", "1", true)])
const groupKey = `Secret/${namespace}/vg-${group.id}`
const reader = desiredApp({ service: 1 }, { varGroups: [group] })
const other = desiredApp({ service: 2 }, { varGroups: [group] })

const deleted = (steps: ReadonlyArray<Step>): ReadonlyArray<string> =>
  steps.flatMap((step) => (step._tag === "Delete" ? [keyOf(step.reference)] : []))

describe("a shared variable group", () => {
  it("is written once before the apps that read it, and not by turns while they carry different versions", () => {
    const cluster = new SimulatedCluster()
    const newer = { ...other, varGroups: [varGroup(1, 2, [variable("A", "2", true)])] }
    const project = projectOf({ apps: [reader, newer] })
    const steps = cluster.converge(project).map(describeStep)
    const written = steps.filter((step) => step.includes(groupKey))
    assert.deepStrictEqual(written, [`apply ${groupKey} (absent)`])
    assert.isBelow(
      steps.indexOf(written[0]!),
      steps.findIndex((step) => step.startsWith("apply Deployment"))
    )
    for (let passes = 0; passes < 3; passes++) assert.isEmpty(cluster.pass(project))
  })

  it("stays as long as an entry names it, and goes once nothing that runs reads it (INV-REC-7)", () => {
    const cluster = new SimulatedCluster()
    cluster.converge(projectOf({ apps: [reader, other] }))
    const one = cluster.converge(projectOf({ n: 2, apps: [other], tombstones: [tombstoneOf(reader)] }))
    assert.notInclude(deleted(one), groupKey)
    const pod = cluster.put(
      { kind: "Pod", namespace, name: "old-pod" },
      {
        labels: { "starform.io/managed-by": "shuttle" },
        annotations: { "starform.io/var-groups": group.id }
      }
    )
    const detached = projectOf({ n: 3, apps: [desiredApp({ service: 2, deploy: 2 })] })
    assert.notInclude(deleted(cluster.converge(detached)), groupKey)
    cluster.objects.delete(keyOf(pod))
    assert.deepStrictEqual(deleted(cluster.converge(detached)), [groupKey])
  })

  it("goes with the last of its readers, and never for a document that merely leaves them out (INV-SHU-1)", () => {
    const cluster = new SimulatedCluster()
    cluster.converge(projectOf({ apps: [reader, other] }))
    const without = projectOf({ n: 2, apps: [desiredApp({ service: 3 })] })
    assert.isEmpty(deleted(cluster.converge(without)))
    const gone = projectOf({ n: 3, tombstones: [tombstoneOf(reader), tombstoneOf(other)] })
    assert.include(deleted(cluster.converge(gone)), groupKey)
  })

  it("stays while an app of the project cannot be rendered (INV-REC-2)", () => {
    const cluster = new SimulatedCluster()
    cluster.converge(projectOf({ apps: [reader] }))
    const broken = projectOf({
      n: 2,
      apps: [desiredApp({ service: 1, deploy: 2 }), { ...other, processes: [] }]
    })
    assert.isEmpty(deleted(cluster.converge(broken)))
  })

  it("that is somebody else's object costs only the apps that read it", () => {
    const cluster = new SimulatedCluster()
    cluster.converge(projectOf({ apps: [desiredApp({ service: 3 })] }))
    const foreign = cluster.put({ kind: "Secret", namespace, name: `vg-${group.id}` })
    const made = cluster.plan(projectOf({ n: 2, apps: [reader, desiredApp({ service: 3 })] }))
    const [first, second] = made.apps
    assert.deepStrictEqual(first!.conflicts.map(keyOf), [keyOf(foreign)])
    assert.isEmpty(first!.waves)
    assert.isEmpty(second!.conflicts)
    const gone = projectOf({ n: 3, tombstones: [tombstoneOf(reader)] })
    assert.notInclude(deleted(cluster.converge(gone)), keyOf(foreign))
  })
})

describe("the policy of an environment", () => {
  it("is there before its apps, and outlives them", () => {
    const cluster = new SimulatedCluster()
    const staging = desiredApp({ environment: "staging" })
    const project = projectOf({ apps: [desiredApp(), staging] })
    const steps = cluster.converge(project).map(describeStep)
    for (const environment of ["production", "staging"]) {
      assert.include(steps, `apply NetworkPolicy/${namespace}/env-isolation-${environment} (absent)`)
    }
    const after = cluster.converge(
      projectOf({ n: 2, apps: [desiredApp()], tombstones: [tombstoneOf(staging)] })
    )
    assert.isFalse(deleted(after).some((key) => key.startsWith("NetworkPolicy")))
  })
})

describe("a namespace", () => {
  it("of another project, or of another cluster's agent, is a conflict and never taken over", () => {
    for (const label of ["starform.io/project-id", "starform.io/cluster-id"]) {
      const cluster = new SimulatedCluster()
      cluster.put(
        { kind: "Namespace", namespace: null, name: namespace },
        { labels: { "starform.io/managed-by": "shuttle", [label]: "0".repeat(32) }, ownedFields: "x" }
      )
      const project = projectOf({ apps: [desiredApp()] })
      assert.isEmpty(cluster.pass(project))
      assert.isNotEmpty(cluster.plan(project).apps[0]!.conflicts)
    }
  })

  it("whose label was changed under us is repaired", () => {
    const cluster = new SimulatedCluster()
    const project = projectOf({ apps: [desiredApp()] })
    cluster.converge(project)
    const object = cluster.objects.get(`Namespace//${namespace}`)!
    cluster.put(object, {
      ...object,
      labels: { ...object.labels, "starform.io/project-id": "0".repeat(32) },
      ownedFields: "fewer"
    })
    assert.deepStrictEqual(cluster.pass(project).map(describeStep), [
      `apply Namespace//${namespace} (drifted)`
    ])
  })

  it("that two projects are put into is that one's whose label it has; nothing is pruned of either", () => {
    const intruder = desiredApp({ project: 0 }, { namespace: NamespaceName.make(namespace) })
    const settled = desiredApp()
    const cluster = new SimulatedCluster()
    cluster.converge(projectOf({ apps: [settled] }))
    const document = heldDocument({ n: 2, apps: [intruder], tombstones: [tombstoneOf(settled)] })
    const both = projectsOf(heldDocument({ n: 2, apps: [intruder, settled] })).get(namespace)!
    const owner = ownerOf(both, cluster.objects.get(`Namespace//${namespace}`))
    assert.deepStrictEqual(
      owner.apps.map(({ appId }) => appId),
      [settled.appId]
    )
    assert.deepStrictEqual(
      owner.rivals.flatMap(({ apps }) => apps.map(({ appId }) => appId)),
      [intruder.appId]
    )
    assert.isEmpty(cluster.pass(owner))
    assert.isEmpty(deleted(cluster.pass(projectsOf(document).get(namespace)!)))
  })
})

describe("the number of copies of what scales by itself", () => {
  const autoscaling = { minReplicas: 3, maxReplicas: 9, cpuPercent: 70, memoryPercent: null }
  const fixed = desiredApp({}, { processes: [process("web", 4, 8080)] })
  const scaling = desiredApp({ deploy: 2 }, { processes: [{ ...process("web", 4, 8080), autoscaling }] })
  const handOvers = (steps: ReadonlyArray<Step>) =>
    steps.flatMap((step) =>
      step._tag === "Apply" && step.manifest.kind === "Deployment" ? [step.handOver ?? null] : []
    )

  it("begins at the fewest for a new Deployment", () => {
    const steps = new SimulatedCluster().pass(projectOf({ apps: [scaling] }))
    assert.deepStrictEqual(handOvers(steps), [{ replicas: 3, uid: null }])
  })

  it("is handed over as it is when it was ours, and only then", () => {
    const cluster = new SimulatedCluster()
    cluster.converge(projectOf({ apps: [fixed] }))
    const deployment = [...cluster.objects.values()].find(({ kind }) => kind === "Deployment")!
    assert.isTrue(deployment.ownsReplicas)
    const steps = cluster.converge(projectOf({ n: 2, apps: [scaling] }))
    assert.deepStrictEqual(handOvers(steps), [{ replicas: 4, uid: deployment.uid }])
    const again = { ...scaling, restartNonce: "again" }
    assert.deepStrictEqual(handOvers(cluster.converge(projectOf({ n: 3, apps: [again] }))), [null])
  })

  it("is ours again when scaling by itself goes, and its autoscaler is pruned", () => {
    const cluster = new SimulatedCluster()
    cluster.converge(projectOf({ apps: [scaling] }))
    const steps = cluster.converge(projectOf({ n: 2, apps: [{ ...fixed, ordinal: 3 }] }))
    const [applied] = steps.filter((step) => step._tag === "Apply" && step.manifest.kind === "Deployment")
    assert.deepInclude(applied, { cause: "changed" })
    assert.lengthOf(deleted(steps), 1)
    assert.include(deleted(steps)[0], "HorizontalPodAutoscaler")
  })
})

describe("a service that becomes one with a schedule", () => {
  it("loses its Deployment and gets a CronJob", () => {
    const cluster = new SimulatedCluster()
    const worker = desiredApp({}, { serviceType: "worker", hostnames: [], processes: [process("job")] })
    cluster.converge(projectOf({ apps: [worker] }))
    const schedule = { expression: "@daily", timeZone: null, concurrency: "forbid" as const }
    const cron = { ...worker, serviceType: "cron" as const, schedule, ordinal: 2 }
    const project = projectOf({ n: 2, apps: [cron] })
    const steps = cluster.converge(project)
    assert.isTrue(
      steps.some((step) => step._tag === "Apply" && referenceOf(step.manifest).kind === "CronJob")
    )
    assert.isTrue(deleted(steps).some((key) => key.startsWith("Deployment/")))
  })
})
