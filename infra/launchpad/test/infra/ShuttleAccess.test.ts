/**
 * The rights of Shuttle against what its code does. Every test of an agent in `test/shuttle` runs behind the same rules,
 * see `AgentHarness`; here are the other direction and the rules' own limits.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import {
  apiVersionOf,
  collectionPath,
  derivedKinds,
  type ResourceKind,
  writtenKinds
} from "@starform/shuttle/kubernetes/ResourceKind"
import { Effect } from "effect"
import { agent, cluster, hands, newApp, starbase, temporaryFolder, until } from "../shuttle/AgentHarness.ts"
import { documentsOf, filesBelow, root } from "./Kustomization.ts"
import { type Access, accessOf, allows, refusal, type Rule, shuttleGrants } from "./ShuttleAccess.ts"

const written = ["create", "delete", "get", "list", "patch", "watch"]
const derived = ["list", "watch"]

/** Rights beside those to the kinds that Shuttle writes and watches. */
const beside: ReadonlyArray<readonly [resource: string, verbs: ReadonlyArray<string>]> = [
  ["pods/log", ["get"]],
  ["events", ["list"]]
]

const nameOf = (group: string, resource: string): string => (group === "" ? resource : `${group}/${resource}`)

const ofKind = (kind: ResourceKind): string => {
  const group = apiVersionOf(kind).includes("/") ? (apiVersionOf(kind).split("/")[0] ?? "") : ""
  return nameOf(group, collectionPath(kind).split("/").at(-1) ?? "")
}

const granted = (rules: ReadonlyArray<Rule>) =>
  new Map(
    rules
      .flatMap(({ apiGroups, resources, verbs }) =>
        apiGroups.flatMap((group) => resources.map((one) => [nameOf(group, one), [...verbs].sort()] as const))
      )
      .sort(([a], [b]) => a.localeCompare(b))
  )

const sorted = (entries: ReadonlyArray<readonly [string, ReadonlyArray<string>]>) =>
  new Map(entries.map(([name, verbs]) => [name, [...verbs]] as const).sort(([a], [b]) => a.localeCompare(b)))

describe("the rights of Shuttle", () => {
  it("INV-CCL-1 are its kinds with their verbs, and nothing else", () => {
    const everywhere = shuttleGrants.filter(({ namespace }) => namespace === null)
    const expected = sorted([
      ...beside,
      ...writtenKinds.map((kind) => [ofKind(kind), written] as const),
      ...derivedKinds.map((kind) => [ofKind(kind), derived] as const)
    ])
    assert.deepStrictEqual(granted(everywhere.flatMap(({ rules }) => rules)), expected)
  })

  it("INV-CCL-1 in single namespaces are its Lease, its credential and the one Gateway", () => {
    const lease = (verb: string, name: string | null): Access => ({
      verb,
      group: "coordination.k8s.io",
      resource: "leases",
      namespace: "starform-system",
      name
    })
    const gateway = (verb: string, name: string): Access => ({
      verb,
      group: "gateway.networking.k8s.io",
      resource: "gateways",
      namespace: "envoy-gateway-system",
      name
    })
    const secret = (verb: string, name: string): Access => ({
      verb,
      group: "",
      resource: "secrets",
      namespace: "starform-system",
      name
    })
    const may = (access: Access) => allows(shuttleGrants, access)
    assert.isTrue(may(lease("create", null)))
    assert.isTrue(may(lease("update", "starform-shuttle")))
    assert.isFalse(may(lease("update", "another")))
    assert.isFalse(may({ ...lease("update", "starform-shuttle"), namespace: "kube-system" }))
    assert.isTrue(may(secret("update", "shuttle-credential")))
    assert.isFalse(may(secret("update", "starform-cluster-token")))
    assert.isFalse(may({ ...secret("update", "shuttle-credential"), namespace: "proj-shop" }))
    assert.isTrue(may(gateway("patch", "starform")))
    assert.isFalse(may(gateway("patch", "another")))
    assert.isFalse(may(gateway("delete", "starform")))
    assert.isFalse(may({ ...gateway("patch", "starform"), namespace: "proj-shop" }))
  })

  it("INV-CCL-1 nowhere are wildcards, nor a way to more rights than one's own", () => {
    for (const file of filesBelow(`${root}/base`, ".yaml")) {
      for (const { kind, rules } of documentsOf(`${root}/${file}`)) {
        if (kind !== "Role" && kind !== "ClusterRole") continue
        for (const { apiGroups, resources, verbs } of rules as ReadonlyArray<Rule>) {
          assert.notIncludeMembers([...apiGroups, ...resources, ...verbs], ["*"], file)
          for (const verb of ["escalate", "bind", "impersonate", "deletecollection"]) {
            assert.notInclude(verbs, verb, file)
          }
        }
      }
    }
  })

  it("are asked as an API server asks", () => {
    assert.deepStrictEqual(accessOf("GET", "/api/v1/secrets?watch=1&labelSelector=a"), {
      verb: "watch",
      group: "",
      resource: "secrets",
      namespace: null,
      name: null
    })
    assert.deepStrictEqual(accessOf("GET", "/api/v1/namespaces/proj-shop/pods/web/log?tailLines=20"), {
      verb: "get",
      group: "",
      resource: "pods/log",
      namespace: "proj-shop",
      name: "web"
    })
    assert.deepStrictEqual(accessOf("PATCH", "/api/v1/namespaces/proj-shop?force=true"), {
      verb: "patch",
      group: "",
      resource: "namespaces",
      namespace: "proj-shop",
      name: "proj-shop"
    })
    assert.strictEqual(accessOf("DELETE", "/apis/apps/v1/namespaces/a/deployments")?.verb, "deletecollection")
    assert.isNull(accessOf("GET", "/readyz"))
  })

  it.live("bind: an agent without a right to Services is refused them, and makes none", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const without = shuttleGrants.map((grant) => ({
          ...grant,
          rules: grant.rules.map((rule) => ({
            ...rule,
            resources: rule.resources.filter((resource) => resource !== "services")
          }))
        }))
        const folder = yield* temporaryFolder
        const world = yield* cluster
        world.proxy.allow(without)
        const base = yield* starbase
        yield* agent(base.url, world.proxy.url, folder)
        base.want([newApp()])
        const refused = yield* until(
          Effect.sync(() => world.proxy.refused),
          (lines) => lines.length > 0
        )
        assert.strictEqual(
          refused[0],
          refusal({ verb: "list", group: "", resource: "services", namespace: null, name: null })
        )
        assert.isEmpty(yield* hands(world.url).list("/api/v1/services"))
      })
    ).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("are enough to report why a pod fails: its output and its events", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const world = yield* cluster
        const base = yield* starbase
        yield* agent(base.url, world.proxy.url, folder)
        const app = { ...newApp(), healthPath: "/healthz" }
        base.want([app])
        const deployments = `/apis/apps/v1/namespaces/${app.namespace}/deployments`
        const [deployment] = yield* until(world.person.list(deployments), (items) => items.length === 1)
        yield* failingPod(world.person, app.namespace, deployment!)
        yield* until(
          Effect.sync(() => new Set(world.proxy.asked.map(({ resource, verb }) => `${verb} ${resource}`))),
          (asked) => asked.has("get pods/log") && asked.has("list events")
        )
        assert.deepStrictEqual(world.proxy.refused, [])
      })
    ).pipe(Effect.provide(NodeServices.layer))
  )
})

/** What the controllers and a kubelet would have made: a count, a ReplicaSet and a pod whose start-up check failed. */
const failingPod = (
  person: ReturnType<typeof hands>,
  namespace: string,
  deployment: { readonly metadata: { readonly name: string; readonly uid: string }; readonly spec?: unknown }
) =>
  Effect.gen(function* () {
    const { template } = deployment.spec as {
      readonly template: {
        readonly metadata: { readonly labels: Readonly<Record<string, string>> }
        readonly spec: object
      }
    }
    const labels = { ...template.metadata.labels, "pod-template-hash": "1" }
    const owner = (apiVersion: string, kind: string, name: string, uid: string) => ({
      ownerReferences: [{ apiVersion, kind, name, uid, controller: true }]
    })
    const set = yield* person.call("POST", `/apis/apps/v1/namespaces/${namespace}/replicasets`, {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: {
        name: `${deployment.metadata.name}-1`,
        namespace,
        labels,
        ...owner("apps/v1", "Deployment", deployment.metadata.name, deployment.metadata.uid)
      },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: { ...template, metadata: { ...template.metadata, labels } }
      }
    })
    const quotas = `/api/v1/namespaces/${namespace}/resourcequotas`
    for (const { metadata, spec } of yield* person.list(quotas)) {
      const { hard } = spec as { readonly hard: Readonly<Record<string, string>> }
      const used = Object.fromEntries(Object.keys(hard).map((name) => [name, "0"]))
      const count = { status: { hard, used } }
      yield* person.call("PATCH", `${quotas}/${metadata.name}/status`, count, "application/merge-patch+json")
    }
    const made = set.body as { readonly metadata: { readonly name: string; readonly uid: string } }
    const name = `${made.metadata.name}-a`
    const pod = yield* person.call("POST", `/api/v1/namespaces/${namespace}/pods`, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name,
        namespace,
        labels,
        ...owner("apps/v1", "ReplicaSet", made.metadata.name, made.metadata.uid)
      },
      spec: template.spec
    })
    assert.strictEqual(pod.status, 201, JSON.stringify(pod.body))
    const waiting = { reason: "CrashLoopBackOff", message: "back-off" }
    const terminated = {
      exitCode: 1,
      reason: "Error",
      startedAt: "2026-01-02T03:00:00Z",
      finishedAt: "2026-01-02T03:05:00Z"
    }
    const status = {
      phase: "Running",
      containerStatuses: [
        {
          name: "app",
          image: "a",
          imageID: "",
          ready: false,
          started: false,
          restartCount: 5,
          state: { waiting },
          lastState: { terminated }
        }
      ]
    }
    const written = [
      [`/api/v1/namespaces/${namespace}/pods/${name}/status`, status],
      [
        `/apis/apps/v1/namespaces/${namespace}/deployments/${deployment.metadata.name}/status`,
        { observedGeneration: 1, replicas: 1, updatedReplicas: 1 }
      ]
    ] as const
    for (const [path, body] of written) {
      const answer = yield* person.call("PATCH", path, { status: body }, "application/merge-patch+json")
      assert.strictEqual(answer.status, 200, JSON.stringify(answer.body))
    }
  })
