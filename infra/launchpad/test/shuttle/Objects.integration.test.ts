import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import { VarGroupId } from "@starform/domain/ids/Ids"
import { ProcessName, VariableName } from "@starform/domain/ids/Slug"
import { Duration, Effect, type FileSystem, type Scope } from "effect"
import { lacksControllers } from "../apiserver/RealServer.ts"
import {
  agent,
  cluster,
  contents,
  newApp,
  nextDeploy,
  starbase,
  temporaryFolder,
  tombstoneOf,
  until,
  type WireObject
} from "./AgentHarness.ts"
import { isReal } from "./ClusterUnderTest.ts"

const live = <A, E>(effect: Effect.Effect<A, E, Scope.Scope | FileSystem.FileSystem>) =>
  Effect.scoped(effect).pipe(Effect.provide(NodeServices.layer))

const setUp = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const world = yield* cluster
  const base = yield* starbase
  yield* agent(base.url, world.proxy.url, folder, { reconcileInterval: Duration.millis(200) })
  const all = (app: DesiredApp) => contents(world.person, app.namespace)
  const phase = (app: DesiredApp) => Effect.sync(() => base.statuses.get(app.appId))
  return { ...world, base, all, phase }
})

const inPlural = (objects: ReadonlyMap<string, WireObject>, plural: string): ReadonlyArray<WireObject> =>
  [...objects].filter(([path]) => path.split("/").at(-2) === plural).map(([, object]) => object)

const replicasOf = (objects: ReadonlyMap<string, WireObject>) =>
  inPlural(objects, "deployments")[0]?.spec?.["replicas"]

const autoscaling = { minReplicas: 2, maxReplicas: 9, cpuPercent: 70, memoryPercent: null }

const withScaling = (app: DesiredApp): DesiredApp =>
  nextDeploy(app, { processes: app.processes.map((process) => ({ ...process, autoscaling })) })

const manages = (object: WireObject | undefined, manager: string, field: string): boolean =>
  (
    (object?.metadata as { managedFields?: ReadonlyArray<{ manager: string; fieldsV1: unknown }> })
      ?.managedFields ?? []
  ).some((entry) => entry.manager === manager && JSON.stringify(entry.fieldsV1).includes(field))

describe("the objects of a project on an API server", () => {
  it.live("number of copies: a new autoscaled Deployment begins at the fewest, and is nobody's of ours", () =>
    live(
      Effect.gen(function* () {
        const { all, base } = yield* setUp
        const app = withScaling(newApp())
        base.want([app])
        const objects = yield* until(
          all(app),
          (seen) => inPlural(seen, "horizontalpodautoscalers").length === 1
        )
        assert.strictEqual(replicasOf(objects), 2)
        const [deployment] = inPlural(objects, "deployments")
        assert.isFalse(manages(deployment, "starform-shuttle", "f:replicas"))
        assert.isTrue(manages(deployment, "starform-shuttle-scale", "f:replicas"))
        assert.lengthOf(inPlural(objects, "poddisruptionbudgets"), 1)
      })
    )
  )

  it.live("number of copies: is kept when the cluster takes over, and ours again afterwards", () =>
    live(
      Effect.gen(function* () {
        const { all, base, person, proxy } = yield* setUp
        const first = newApp()
        const app = { ...first, processes: first.processes.map((process) => ({ ...process, replicas: 4 })) }
        base.want([app])
        yield* until(all(app), (seen) => replicasOf(seen) === 4)
        const scaling = withScaling(app)
        base.want([scaling])
        const taken = yield* until(
          all(app),
          (seen) => inPlural(seen, "horizontalpodautoscalers").length === 1
        )
        assert.strictEqual(replicasOf(taken), 4)
        const [deployment] = inPlural(taken, "deployments")
        const path = `/apis/apps/v1/namespaces/${app.namespace}/deployments/${deployment!.metadata.name}`
        // Whoever carries out the Deployment may write between the two.
        yield* until(
          Effect.flatMap(person.call("GET", `${path}/scale`), ({ body }) =>
            person.call("PUT", `${path}/scale`, { ...Object(body), spec: { replicas: 7 } })
          ),
          ({ status }) => status === 200
        )
        const again = nextDeploy(scaling)
        base.want([again])
        const seen = yield* until(
          all(app),
          (objects) =>
            inPlural(objects, "deployments")[0]?.metadata.annotations?.["starform.io/deploy-ordinal"] ===
            String(again.ordinal)
        )
        assert.strictEqual(replicasOf(seen), 7)
        yield* Effect.sleep(500)
        const before = proxy.writes.length
        yield* Effect.sleep(500)
        assert.strictEqual(proxy.writes.length, before)
        base.want([nextDeploy(again, { processes: app.processes })])
        const ours = yield* until(
          all(app),
          (objects) => replicasOf(objects) === 4 && inPlural(objects, "horizontalpodautoscalers").length === 0
        )
        assert.isTrue(manages(inPlural(ours, "deployments")[0], "starform-shuttle", "f:replicas"))
      })
    )
  )

  it.live("schedule: a CronJob is available at once, suspended by no copies, and gone with its app", () =>
    live(
      Effect.gen(function* () {
        const { all, base, phase } = yield* setUp
        const schedule = {
          expression: "*/5 * * * *",
          timeZone: "Europe/Berlin",
          concurrency: "forbid" as const
        }
        const processes = newApp().processes.map((process) => ({
          ...process,
          name: ProcessName.make("cron"),
          containerPort: null
        }))
        const app: DesiredApp = { ...newApp(), serviceType: "cron", hostnames: [], processes, schedule }
        base.want([app])
        yield* until(phase(app), (status) => status?.phase === "available")
        const [cronJob] = inPlural(yield* all(app), "cronjobs")
        assert.deepInclude(cronJob!.spec, {
          schedule: "*/5 * * * *",
          timeZone: "Europe/Berlin",
          concurrencyPolicy: "Forbid",
          suspend: false
        })
        const still = nextDeploy(app, {
          processes: processes.map((process) => ({ ...process, replicas: 0 }))
        })
        base.want([still])
        yield* until(all(app), (seen) => inPlural(seen, "cronjobs")[0]?.spec?.["suspend"] === true)
        base.want([], [tombstoneOf(still)])
        yield* until(phase(app), (status) => status?.phase === "absent")
        assert.isEmpty(inPlural(yield* all(app), "cronjobs"))
      })
    )
  )

  it.live("shared group: one Secret of the highest version, kept for its last reader and then gone", () =>
    live(
      Effect.gen(function* () {
        const { all, base, phase } = yield* setUp
        const id = VarGroupId.make("0198c0de-0000-7000-8009-000000000001")
        const group = (version: number) => ({
          id,
          version,
          attachOrder: 0,
          variables: [
            { key: VariableName.make("DSN"), value: `v${version}`, secret: true, version: `x${version}` }
          ]
        })
        const first = { ...newApp(), varGroups: [group(1)] }
        const second = { ...newApp(first), varGroups: [group(2)] }
        const secretOf = (objects: ReadonlyMap<string, WireObject>) =>
          inPlural(objects, "secrets").find(({ metadata }) => metadata.name === `vg-${id}`)
        base.want([first, second])
        const made = yield* until(all(first), (seen) => inPlural(seen, "deployments").length === 2)
        assert.deepStrictEqual(secretOf(made)?.data, { DSN: Buffer.from("v2").toString("base64") })
        base.want([second], [tombstoneOf(first)])
        yield* until(phase(first), (status) => status?.phase === "absent")
        assert.isDefined(secretOf(yield* all(first)))
        // Where Deployments are carried out, the ReplicaSet before names the group until the history forgets it.
        if (isReal && !lacksControllers) return
        base.want([nextDeploy(second, { varGroups: [] })])
        yield* until(all(first), (seen) => secretOf(seen) === undefined)
      })
    )
  )

  it.live(
    "load balancer: its size is one field of a Gateway that is somebody else's, and never makes one",
    () =>
      live(
        Effect.gen(function* () {
          const { base, person, proxy } = yield* setUp
          const gateways = "/apis/gateway.networking.k8s.io/v1/namespaces/envoy-gateway-system/gateways"
          yield* person.call("POST", "/api/v1/namespaces", {
            apiVersion: "v1",
            kind: "Namespace",
            metadata: { name: "envoy-gateway-system" }
          })
          base.lbSizeUnits = 3
          base.want([])
          yield* Effect.sleep(500)
          assert.isEmpty(yield* person.list(gateways))
          const listeners = [{ name: "http", port: 80, protocol: "HTTP" }]
          yield* person.call("POST", gateways, {
            apiVersion: "gateway.networking.k8s.io/v1",
            kind: "Gateway",
            metadata: { name: "starform", namespace: "envoy-gateway-system" },
            spec: { gatewayClassName: "envoy", listeners }
          })
          const size = (gateway: WireObject | undefined) =>
            (gateway?.spec?.["infrastructure"] as { annotations?: Record<string, string> })?.annotations?.[
              "service.beta.kubernetes.io/do-loadbalancer-size-unit"
            ]
          const gateway = Effect.map(person.list(gateways), ([found]) => found)
          const seen = yield* until(gateway, (found) => size(found) === "3")
          assert.strictEqual(seen?.spec?.["gatewayClassName"], "envoy")
          base.lbSizeUnits = 7
          base.want([])
          yield* until(gateway, (found) => size(found) === "7")
          const before = proxy.writes.length
          yield* Effect.sleep(600)
          assert.strictEqual(proxy.writes.length, before)
        })
      )
  )

  it.live("namespace: of another cluster's agent is told for its app, and nothing is written into it", () =>
    live(
      Effect.gen(function* () {
        const { all, base, person, phase } = yield* setUp
        const [app, neighbour] = [newApp(), newApp()]
        yield* person.call("POST", "/api/v1/namespaces", {
          apiVersion: "v1",
          kind: "Namespace",
          metadata: {
            name: app.namespace,
            labels: {
              "starform.io/managed-by": "shuttle",
              "starform.io/project-id": app.projectId.replaceAll("-", ""),
              "starform.io/cluster-id": "0".repeat(32)
            }
          }
        })
        base.want([app, neighbour])
        yield* until(all(neighbour), (seen) => inPlural(seen, "deployments").length === 1)
        const status = yield* until(phase(app), (seen) => seen?.phase === "failed")
        assert.strictEqual(status?.reason?.code, "ForeignObject")
        assert.strictEqual((yield* all(app)).size, 0)
      })
    )
  )
})
