import { assert, describe, it } from "@effect/vitest"
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import { keyOf, waveOf } from "@starform/shuttle/kubernetes/ResourceKind"
import { referenceOf } from "@starform/shuttle/kubernetes/Manifest"
import { desiredHashAnnotation } from "@starform/shuttle/manifests/ShuttleAnnotations"
import { describeStep, type Step, type Wave } from "@starform/shuttle/reconcile/PlanStep"
import { Schema } from "effect"
import { desiredApp, type DocumentParts, process, tombstoneOf } from "../fixtures/DesiredApps.ts"
import { heldDocument, projectOf, projectsOf, SimulatedCluster } from "../fixtures/SimulatedCluster.ts"

const namespace = "proj-shop-1"

/** What stays of a project without apps. */
const outliving = [
  `ConfigMap/${namespace}/starform-inventory`,
  `LimitRange/${namespace}/starform`,
  `Namespace//${namespace}`,
  `NetworkPolicy/${namespace}/default-deny`,
  `NetworkPolicy/${namespace}/env-isolation-production`,
  `ResourceQuota/${namespace}/starform`,
  `Role/${namespace}/starform`,
  `RoleBinding/${namespace}/starform`,
  `ServiceAccount/${namespace}/starform`
]

const deleted = (steps: ReadonlyArray<Step>): ReadonlyArray<string> =>
  steps.flatMap((step) => (step._tag === "Delete" ? [keyOf(step.reference)] : []))

const waveNumbers = (waves: ReadonlyArray<Wave>): ReadonlyArray<number> =>
  waves.map((wave) => {
    const kinds = wave.map((step) =>
      step._tag === "Delete" ? waveOf(step.reference.kind) : waveOf(step.manifest.kind)
    )
    assert.strictEqual(new Set(kinds).size, 1)
    return kinds[0]!
  })

/** Which of six services is there (1), tombstoned (2), with a worker (3), or not mentioned (0). */
const choices = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))).check(
  Schema.isMaxLength(6)
)

const partsOf = (chosen: ReadonlyArray<number>, n: number): DocumentParts => {
  const apps: Array<DesiredApp> = []
  const gone: Array<DesiredApp> = []
  chosen.forEach((choice, index) => {
    const numbers = { service: index + 1, deploy: n }
    if (choice === 1) apps.push(desiredApp(numbers))
    if (choice === 3)
      apps.push(desiredApp(numbers, { processes: [process("web", 1, 8080), process("worker")] }))
    if (choice === 2) gone.push(desiredApp(numbers))
  })
  return { n, apps, tombstones: gone.map((app) => tombstoneOf(app)) }
}

const projectIn = (parts: DocumentParts) => projectsOf(heldDocument(parts)).get(namespace)

describe("plan", () => {
  it.prop("is empty after it was run and observed (INV-REC-3)", [choices, choices], ([first, second]) => {
    const cluster = new SimulatedCluster()
    for (const [index, chosen] of [first, second].entries()) {
      const project = projectIn(partsOf(chosen, index + 1))
      if (project === undefined) continue
      cluster.converge(project)
      assert.deepStrictEqual(cluster.pass(project).map(describeStep), [])
    }
  })

  it.prop(
    "deletes only what its own app's entry no longer names or a tombstone names (INV-REC-1)",
    [choices, choices],
    ([first, second]) => {
      const cluster = new SimulatedCluster()
      const before = projectIn(partsOf(first, 1))
      const after = projectIn(partsOf(second, 2))
      if (before !== undefined) cluster.converge(before)
      const untouched = cluster.keys().filter((key) =>
        [...first.entries()].some(([index, choice]) => {
          const isMentioned = (second[index] ?? 0) !== 0
          const app = desiredApp({ service: index + 1 })
          return (
            choice !== 0 &&
            choice !== 2 &&
            !isMentioned &&
            cluster.objects.get(key)?.annotations["starform.io/app-id"] === app.appId
          )
        })
      )
      if (after === undefined) return
      const steps = cluster.converge(after)
      for (const key of untouched) {
        assert.notInclude(deleted(steps), key)
        assert.isTrue(cluster.objects.has(key))
      }
      for (const app of after.tombstones) {
        for (const object of cluster.objects.values()) {
          assert.notStrictEqual(object.annotations["starform.io/app-id"], app.appId)
        }
      }
    }
  )

  it("applies in ascending and prunes in descending waves (INV-REC-4)", () => {
    const cluster = new SimulatedCluster()
    const app = desiredApp()
    const made = cluster.plan(projectOf({ apps: [app] }))
    assert.deepStrictEqual(made.opening.flat().map(describeStep), [
      "apply Namespace//proj-shop-1 (absent)",
      "save ConfigMap/proj-shop-1/starform-inventory",
      "apply ServiceAccount/proj-shop-1/starform (absent)",
      "apply Role/proj-shop-1/starform (absent)",
      "apply RoleBinding/proj-shop-1/starform (absent)",
      "apply NetworkPolicy/proj-shop-1/default-deny (absent)",
      "apply ResourceQuota/proj-shop-1/starform (absent)",
      "apply LimitRange/proj-shop-1/starform (absent)"
    ])
    assert.deepStrictEqual(
      made.shared.flat().map(({ step }) => describeStep(step)),
      ["apply NetworkPolicy/proj-shop-1/env-isolation-production (absent)"]
    )
    assert.deepStrictEqual(waveNumbers(made.apps[0]!.waves), [2, 3, 4, 5])
    cluster.converge(projectOf({ apps: [app] }))
    const pruned = cluster.plan(projectOf({ n: 2, tombstones: [tombstoneOf(app)] }))
    assert.deepStrictEqual(waveNumbers(pruned.prunes[0]!.waves), [5, 4, 3, 2])
  })

  it("writes down what it is about to make before it makes it", () => {
    const cluster = new SimulatedCluster()
    const steps = cluster.pass(projectOf({ apps: [desiredApp()] })).map(describeStep)
    const saved = steps.findIndex((step) => step.startsWith("save "))
    assert.isBelow(
      saved,
      steps.findIndex((step) => step.startsWith("apply Secret"))
    )
    assert.isAbove(
      saved,
      steps.findIndex((step) => step.startsWith("apply Namespace"))
    )
  })

  it("prunes after a crash between making and remembering", () => {
    const cluster = new SimulatedCluster()
    const app = desiredApp()
    const steps = cluster.plan(projectOf({ apps: [app] }))
    for (const step of [...steps.opening.flat(), ...steps.apps[0]!.waves.flat().slice(0, 2)])
      cluster.run(step)
    cluster.applied.clear()
    const gone = projectOf({ n: 2, tombstones: [tombstoneOf(app)] })
    assert.isNotEmpty(deleted(cluster.converge(gone)))
    assert.isTrue(cluster.plan(gone).prunes[0]!.isAbsent)
  })

  it("rebuilds a lost inventory from what is ours, and still prunes", () => {
    const cluster = new SimulatedCluster()
    const app = desiredApp()
    cluster.converge(projectOf({ apps: [app] }))
    cluster.objects.delete(`ConfigMap/${namespace}/starform-inventory`)
    cluster.converge(projectOf({ n: 2, tombstones: [tombstoneOf(app)] }))
    assert.deepStrictEqual(cluster.keys(), outliving)
  })

  it("says absent only after everything was found gone (INV-REC-6)", () => {
    const cluster = new SimulatedCluster()
    const app = desiredApp()
    cluster.converge(projectOf({ apps: [app] }))
    const gone = projectOf({ n: 2, tombstones: [tombstoneOf(app)] })
    assert.isFalse(cluster.plan(gone).prunes[0]!.isAbsent)
    const [deployment] = [...cluster.objects.values()].filter((object) => object.kind === "Deployment")
    cluster.pass(gone)
    cluster.put(deployment!, { ...deployment!, deleting: true })
    assert.isFalse(cluster.plan(gone).prunes[0]!.isAbsent)
    cluster.objects.delete(keyOf(deployment!))
    assert.isTrue(cluster.plan(gone).prunes[0]!.isAbsent)
    assert.isTrue(new SimulatedCluster().plan(gone).prunes[0]!.isAbsent)
  })

  it("leaves an object without our label alone, and the rest of its app with it (INV-REC-5)", () => {
    const cluster = new SimulatedCluster()
    const app = desiredApp()
    const neighbour = desiredApp({ service: 2 })
    const project = projectOf({ apps: [app, neighbour] })
    cluster.converge(projectOf({ apps: [neighbour] }))
    const wanted = cluster.plan(project).apps[0]!.waves.flat()
    const reference = wanted
      .flatMap((step) => (step._tag === "Apply" ? [referenceOf(step.manifest)] : []))
      .find((each) => each.kind === "Service")!
    cluster.put(reference)
    const made = cluster.plan(project)
    assert.deepStrictEqual(made.apps.find((each) => each.app.appId === app.appId)?.conflicts, [reference])
    assert.isEmpty(made.apps.find((each) => each.app.appId === app.appId)?.waves)
    assert.isEmpty(made.apps.find((each) => each.app.appId === neighbour.appId)?.conflicts)
    const gone = projectOf({ n: 2, apps: [neighbour], tombstones: [tombstoneOf(app)] })
    assert.notInclude(deleted(cluster.converge(gone)), keyOf(reference))
  })

  it("stops at a namespace that is somebody else's", () => {
    const cluster = new SimulatedCluster()
    cluster.put({ kind: "Namespace", namespace: null, name: namespace })
    const project = projectOf({ apps: [desiredApp()] })
    assert.isEmpty(cluster.pass(project))
    assert.isNotEmpty(cluster.plan(project).apps[0]!.conflicts)
  })

  it("never deletes what has the label but was made by somebody else, nor what replaced an object of ours, nor what was taken over", () => {
    const cluster = new SimulatedCluster()
    const app = desiredApp()
    cluster.converge(projectOf({ apps: [app] }))
    const labels = { "starform.io/managed-by": "shuttle" }
    const foreign = cluster.put(
      { kind: "ConfigMap", namespace, name: "by-hand" },
      { labels, annotations: { "starform.io/app-id": app.appId } }
    )
    const service = [...cluster.objects.values()].find((object) => object.kind === "Service")!
    const [config] = [...cluster.objects.values()].filter((object) => object.kind === "Deployment")
    const taken = cluster.put(config!, { ...config!, labels: { "starform.io/managed-by": "somebody" } })
    cluster.objects.delete(keyOf(service))
    const replacement = cluster.put(service, { uid: "another", ownedFields: null, labels: {} })
    const steps = cluster.converge(projectOf({ n: 2, tombstones: [tombstoneOf(app)] }))
    assert.notInclude(deleted(steps), keyOf(foreign))
    assert.notInclude(deleted(steps), keyOf(replacement))
    assert.notInclude(deleted(steps), keyOf(taken))
  })

  it("prunes nothing of a project while one of its apps cannot be rendered (INV-REC-2)", () => {
    const cluster = new SimulatedCluster()
    const [gone, broken] = [desiredApp({ service: 1 }), desiredApp({ service: 2 })]
    cluster.converge(projectOf({ apps: [gone, broken] }))
    const project = projectOf({ n: 2, apps: [{ ...broken, processes: [] }], tombstones: [tombstoneOf(gone)] })
    assert.isEmpty(deleted(cluster.converge(project)))
    assert.isNotEmpty(
      deleted(cluster.converge(projectOf({ n: 3, apps: [broken], tombstones: [tombstoneOf(gone)] })))
    )
  })

  it("prunes nothing for an unconfirmed epoch, and nothing of what a document merely leaves out (INV-SHU-1)", () => {
    const cluster = new SimulatedCluster()
    const [gone, kept] = [desiredApp({ service: 1 }), desiredApp({ service: 2 })]
    const before = heldDocument({ apps: [gone, kept] })
    cluster.converge(projectsOf(before).get(namespace)!)
    const restored = heldDocument(
      { epoch: "00000009", apps: [kept], tombstones: [tombstoneOf(gone)], epochConfirmed: false },
      before
    )
    assert.isEmpty(deleted(cluster.converge(projectsOf(restored).get(namespace)!)))
    assert.isEmpty(deleted(cluster.converge(projectOf({ n: 2, apps: [kept] }))))
    assert.strictEqual(projectsOf(heldDocument({ n: 3 })).size, 0)
  })

  it("says what a finalizer holds, and deletes it once only", () => {
    const cluster = new SimulatedCluster()
    const app = desiredApp()
    cluster.converge(projectOf({ apps: [app] }))
    const gone = projectOf({ n: 2, tombstones: [tombstoneOf(app)] })
    const deployment = [...cluster.objects.values()].find((object) => object.kind === "Deployment")!
    cluster.put(deployment, { ...deployment, deleting: true, finalizers: ["example.com/hold"] })
    const [prune] = cluster.plan(gone).prunes
    assert.deepStrictEqual(prune?.ending.map(keyOf), [keyOf(deployment)])
    assert.notInclude(deleted(cluster.pass(gone)), keyOf(deployment))
    assert.isFalse(cluster.plan(gone).prunes[0]?.isAbsent)
  })

  it("prunes no leftover of a living app under an unconfirmed epoch (INV-DOC-4)", () => {
    const cluster = new SimulatedCluster()
    const both = desiredApp({}, { processes: [process("web", 1, 8080), process("worker")] })
    const before = heldDocument({ apps: [both] })
    cluster.converge(projectsOf(before).get(namespace)!)
    const restored = { epoch: "00000009", apps: [desiredApp({ deploy: 2 })], epochConfirmed: false }
    const unconfirmed = heldDocument(restored, before)
    assert.isEmpty(deleted(cluster.converge(projectsOf(unconfirmed).get(namespace)!)))
    const confirmed = heldDocument({ ...restored, n: 2, epochConfirmed: true }, unconfirmed)
    assert.lengthOf(deleted(cluster.converge(projectsOf(confirmed).get(namespace)!)), 1)
  })

  it("removes the Deployment of a process that its app no longer has", () => {
    const cluster = new SimulatedCluster()
    const both = desiredApp({}, { processes: [process("web", 1, 8080), process("worker")] })
    cluster.converge(projectOf({ apps: [both] }))
    const steps = cluster.converge(projectOf({ n: 2, apps: [desiredApp({ deploy: 2 })] }))
    assert.lengthOf(deleted(steps), 1)
    assert.include(deleted(steps)[0], "worker")
  })

  const drifts: Readonly<Record<string, (cluster: SimulatedCluster, key: string) => void>> = {
    "was deleted": (cluster, key) => void cluster.objects.delete(key),
    "lost a field of ours": (cluster, key) => {
      const object = cluster.objects.get(key)!
      cluster.put(object, { ...object, ownedFields: "fewer fields", resourceVersion: "999" })
    },
    "was made anew by somebody": (cluster, key) => {
      const object = cluster.objects.get(key)!
      cluster.put(object, { ...object, uid: "another" })
    },
    "has another hash": (cluster, key) => {
      const object = cluster.objects.get(key)!
      cluster.put(object, {
        ...object,
        annotations: { ...object.annotations, [desiredHashAnnotation]: "sha256:0" }
      })
    },
    "lost our label": (cluster, key) => {
      const object = cluster.objects.get(key)!
      cluster.put(object, { ...object, labels: {}, ownedFields: "fewer fields" })
    }
  }
  for (const [name, drift] of Object.entries(drifts)) {
    it(`applies an object again that ${name}, and nothing else`, () => {
      const cluster = new SimulatedCluster()
      const project = projectOf({ apps: [desiredApp(), desiredApp({ service: 2 })] })
      cluster.converge(project)
      const key = cluster.keys().find((each) => each.startsWith("Deployment/"))!
      drift(cluster, key)
      const steps = cluster.pass(project).filter((step) => step._tag !== "SaveInventory")
      assert.deepStrictEqual(steps.map(describeStep), [`apply ${key} (drifted)`])
      cluster.converge(project)
    })
  }

  it("leaves an object alone to which others added fields of their own", () => {
    const cluster = new SimulatedCluster()
    const project = projectOf({ apps: [desiredApp()] })
    cluster.converge(project)
    const object = [...cluster.objects.values()].find((each) => each.kind === "Deployment")!
    cluster.put(object, {
      ...object,
      resourceVersion: "999",
      generation: 2,
      annotations: { ...object.annotations, other: "x" }
    })
    assert.isEmpty(cluster.pass(project))
  })

  it("applies everything once after a restart, because nothing is known to be applied", () => {
    const cluster = new SimulatedCluster()
    const project = projectOf({ apps: [desiredApp()] })
    cluster.converge(project)
    cluster.applied.clear()
    const steps = cluster.pass(project)
    assert.lengthOf(steps, 13)
    assert.isTrue(steps.every((step) => step._tag === "Apply" && step.cause === "unverified"))
  })
})
