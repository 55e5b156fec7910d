/** The manifests of infra/kubernetes: against the published schemas, each other, and the local cluster. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as ResourceTypes from "@starform/launchpad/kubernetes/ResourceTypes"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { parseAllDocuments } from "yaml"
import { cluster } from "../shuttle/AgentHarness.ts"
import {
  documentsOf,
  filesBelow,
  type ManifestObject,
  render,
  root,
  template,
  unreached
} from "./Kustomization.ts"
import { problemsOf } from "./ManifestSchema.ts"
import { breaches, type PodSpec } from "./PodSecurity.ts"
import { allows, shuttleGrants } from "./ShuttleAccess.ts"

const everything = render(template)
const twoReplicas = render(join(root, "components/two-replicas"), everything)

const keyOf = ({ kind, metadata }: ManifestObject): string =>
  `${kind} ${metadata.namespace ?? ""}/${metadata.name}`

const hasKubectl = spawnSync("kubectl", ["version", "--client"]).status === 0
if (!hasKubectl) console.log("skipped: the same rendering by kubectl kustomize: kubectl is not installed")

interface Workload {
  readonly replicas?: number
  readonly selector: { readonly matchLabels: Readonly<Record<string, string>> }
  readonly template: { readonly spec: PodSpec & { readonly serviceAccountName?: string } }
}

const workloads = (objects: ReadonlyArray<ManifestObject>) =>
  objects
    .filter(({ kind }) => ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"].includes(kind))
    .map((object) => ({ object, spec: object["spec"] as Workload }))

/** A path of the API for a namespaced or a cluster-wide object. */
const pathOf = (object: ManifestObject, plural: string): string => {
  const { apiVersion, metadata } = object
  const scope = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`
  return `/${apiVersion.includes("/") ? "apis" : "api"}/${apiVersion}${scope}/${plural}/${metadata.name}`
}

describe("the manifests", () => {
  it("are all reached by a kustomization, and each object is there once", () => {
    assert.deepStrictEqual(unreached(), [])
    const keys = everything.map(keyOf)
    assert.strictEqual(new Set(keys).size, keys.length)
  })

  it("have no field that Kubernetes does not know, and every one that it needs", () => {
    for (const object of twoReplicas) assert.deepStrictEqual(problemsOf(object), [], keyOf(object))
  })

  it("would be caught with such a field", () => {
    const set = everything.find(({ kind }) => kind === "StatefulSet")!
    const spec = set["spec"] as Record<string, unknown>
    assert.deepStrictEqual(problemsOf({ ...set, spec: { ...spec, replica: 1 } }), [
      "spec.replica: unknown field"
    ])
    assert.deepStrictEqual(problemsOf({ ...set, spec: { ...spec, replicas: "1" } }), [
      "spec.replicas: not of type integer"
    ])
    const { template: _, ...headless } = spec
    assert.match(problemsOf({ ...set, spec: headless }).join(), /spec.template: Required value/)
  })

  it.skipIf(!hasKubectl)("are rendered by kubectl kustomize as by this test", () => {
    const rendered = spawnSync("kubectl", ["kustomize", template], { encoding: "utf8" })
    assert.strictEqual(rendered.status, 0, rendered.stderr)
    const theirs = parseAllDocuments(rendered.stdout).map((document) => document.toJS() as ManifestObject)
    const sorted = (objects: ReadonlyArray<ManifestObject>) =>
      new Map(objects.map((object) => [keyOf(object), object] as const).sort())
    assert.deepStrictEqual(sorted(theirs), sorted(everything))
  })

  it("carry no label by which Shuttle would take them for its own", () => {
    for (const object of everything) {
      const labels = object.metadata.labels ?? {}
      assert.strictEqual(labels["app.kubernetes.io/part-of"], "starform", keyOf(object))
      assert.notProperty(labels, "starform.io/managed-by", keyOf(object))
    }
  })

  it("INV-CCL-2 pass the restricted Pod Security level, with a read-only root, requests and probes", () => {
    const found = workloads(everything)
    assert.isNotEmpty(found)
    for (const { object, spec } of found) {
      const pod = spec.template.spec
      assert.deepStrictEqual(breaches(pod), [], keyOf(object))
      for (const container of pod.containers) {
        assert.isTrue(container.securityContext?.readOnlyRootFilesystem, keyOf(object))
        assert.hasAllKeys(container.resources?.requests, ["cpu", "memory"])
        assert.property(container.resources?.limits, "memory")
        assert.isDefined(container.livenessProbe)
        assert.isDefined(container.readinessProbe)
        assert.match(container.image, /(:(?!latest)[\w.-]+|@sha256:[0-9a-f]{64})$/)
      }
    }
  })

  it("make the namespaces restricted that have nothing of the node's", () => {
    const levels = new Map(
      everything
        .filter(({ kind }) => kind === "Namespace")
        .map(({ metadata }) => [metadata.name, metadata.labels?.["pod-security.kubernetes.io/enforce"]])
    )
    assert.deepStrictEqual(
      levels,
      new Map([
        ["starform-system", "restricted"],
        ["envoy-gateway-system", "baseline"],
        ["starform-telemetry", "restricted"],
        ["starform-nodes", "privileged"]
      ])
    )
    for (const { metadata } of everything) {
      if (metadata.namespace !== undefined) assert.isTrue(levels.has(metadata.namespace), metadata.namespace)
    }
  })

  it("INV-CCL-3 differ between clusters by cluster id and region alone", () => {
    const differing = everything.filter(({ metadata }) => metadata.name === "starform-cluster")
    assert.strictEqual(differing.length, 3)
    for (const object of differing) assert.hasAllKeys(object["data"], ["CLUSTER_ID", "REGION"])
    const parameters = filesBelow(join(root, "overlays"), "").filter(
      (file) => !file.endsWith("kustomization.yaml")
    )
    assert.deepStrictEqual(parameters, ["overlays/template/parameters/cluster.env"])
    for (const file of ["base", "charts"].flatMap((folder) => filesBelow(join(root, folder), ""))) {
      assert.notMatch(readFileSync(join(root, file), "utf8"), /nyc3|00000000-0000/, file)
    }
  })

  it("INV-CCL-4 run one Shuttle, two with a budget by the component, and each elects its leader by the Lease", () => {
    const shuttles = (objects: ReadonlyArray<ManifestObject>) =>
      workloads(objects).filter(({ object }) => object.metadata.name === "shuttle")
    assert.deepStrictEqual(
      shuttles(everything).map(({ spec }) => spec.replicas),
      [1]
    )
    assert.isFalse(everything.some(({ kind }) => kind === "PodDisruptionBudget"))
    const [doubled] = shuttles(twoReplicas)
    assert.strictEqual(doubled?.spec.replicas, 2)
    const budget = twoReplicas.find(({ kind }) => kind === "PodDisruptionBudget")?.["spec"] as Workload
    assert.deepStrictEqual(budget.selector, doubled?.spec.selector)
    const lease = { verb: "update", group: "coordination.k8s.io", resource: "leases" }
    for (const { object } of [...shuttles(everything), ...shuttles(twoReplicas)]) {
      const text = JSON.stringify(object)
      const [, namespace = "", name = ""] =
        /"STARFORM_LEADER_LEASE","value":"([a-z-]+)\/([a-z-]+)"/.exec(text) ?? []
      assert.isTrue(allows(shuttleGrants, { ...lease, namespace, name }), text)
    }
  })

  it("leave the load balancer's size to Shuttle", () => {
    const gateway = everything.find(({ kind }) => kind === "Gateway")!
    assert.notProperty(gateway["spec"], "infrastructure")
    for (const file of filesBelow(join(root, "base/gateway"), ".yaml")) {
      for (const object of documentsOf(join(root, file))) {
        assert.notInclude(JSON.stringify(object), "do-loadbalancer-size-unit", file)
      }
    }
  })

  it.live("are taken by the local cluster with server-side apply, as far as it serves their kinds", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { person } = yield* cluster
        const unserved = new Set<string>()
        let applied = 0
        for (const object of everything) {
          const type = ResourceTypes.all.find(({ kind }) => kind === object.kind)
          if (type === undefined) {
            unserved.add(object.kind)
            continue
          }
          const path = `${pathOf(object, type.plural)}?fieldManager=starform-bootstrap&fieldValidation=Strict`
          for (const status of [201, 200]) {
            const answer = yield* person.call("PATCH", path, object, "application/apply-patch+yaml")
            assert.strictEqual(answer.status, status, `${keyOf(object)}: ${JSON.stringify(answer.body)}`)
          }
          applied += 1
        }
        assert.isAtLeast(applied, 14)
        console.log(`not served by the local cluster: ${[...unserved].sort().join(", ")}`)
      })
    ).pipe(Effect.provide(NodeServices.layer))
  )
})
