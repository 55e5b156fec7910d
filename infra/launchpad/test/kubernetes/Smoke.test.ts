import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { eventually, podsOf, serverScript, settled } from "../runtime/LocalCluster.ts"
import { makeFolder, writeImage } from "../runtime/PodHarness.ts"
import { cluster, Kubectl, missing } from "./Kubectl.ts"

if (missing !== undefined) console.log(`skipped: kubectl against the local cluster: ${missing}`)

/** Documents one after the other, as kubectl reads JSON. */
const manifest = (image: string, replicas: number): string =>
  [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "settings", namespace: "shop" },
      data: { a: "1" }
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web", namespace: "shop" },
      spec: {
        replicas,
        selector: { matchLabels: { app: "web" } },
        template: {
          metadata: { labels: { app: "web" } },
          spec: {
            terminationGracePeriodSeconds: 3,
            containers: [
              {
                name: "app",
                image,
                ports: [{ name: "http", containerPort: 3000 }],
                env: [{ name: "PORT", value: "3000" }],
                readinessProbe: { httpGet: { path: "/", port: "http" }, periodSeconds: 1 }
              }
            ]
          }
        }
      }
    }
  ]
    .map((document) => JSON.stringify(document))
    .join("\n")

const autoscaler = JSON.stringify({
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  metadata: { name: "web", namespace: "shop" },
  spec: {
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" },
    maxReplicas: 2,
    metrics: [
      { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } } }
    ]
  }
})

const script = serverScript(
  "one",
  `let n = 0; console.log("started"); setInterval(() => console.log("tick " + n++), 20)`
)

/** Runs a command that must succeed, and answers what it printed. */
const succeed = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  const kubectl = yield* Kubectl
  const { code, output, errors } = yield* kubectl.run(...args)
  assert.strictEqual(code, 0, `kubectl ${args.join(" ")}\n${output}${errors}`)
  return output
})

const contains = (text: string, ...parts: ReadonlyArray<RegExp>) => {
  for (const part of parts) assert.match(text, part)
}

const onCluster = <A, E, R>(use: (file: string) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const folder = yield* makeFolder
    writeImage(folder, "one", script)
    const file = join(folder, "manifest.json")
    writeFileSync(file, manifest("one", 1))
    return yield* Effect.provide(use(file), cluster(folder))
  })

const applied = Effect.fnUntraced(function* (file: string) {
  const output = yield* succeed("apply", "--server-side", "-f", file)
  yield* settled("web")
  return output
})

const podName = Effect.map(podsOf("web"), (pods) => pods[0]?.metadata.name ?? "")

describe.skipIf(missing !== undefined)("kubectl", () => {
  it.live("applies a file, and once more without a change", () =>
    onCluster((file) =>
      Effect.gen(function* () {
        contains(
          yield* applied(file),
          /namespace\/shop serverside-applied/,
          /deployment.apps\/web serverside-applied/
        )
        const versions = succeed(
          "get",
          "deploy,cm,ns",
          "-A",
          "-o",
          "jsonpath={.items[*].metadata.resourceVersion}"
        )
        const before = yield* versions
        yield* succeed("apply", "--server-side", "-f", file)
        assert.strictEqual(yield* versions, before)
        yield* succeed("diff", "--server-side", "-f", file)
        writeFileSync(file, manifest("one", 2))
        const kubectl = yield* Kubectl
        assert.match((yield* kubectl.run("diff", "--server-side", "-f", file)).output, /\+ {2}replicas: 2/)
      })
    )
  )

  it.live("tells what there is", () =>
    onCluster((file) =>
      Effect.gen(function* () {
        yield* applied(file)
        contains(
          yield* succeed("get", "pods", "-A"),
          /NAMESPACE +NAME +READY +STATUS +RESTARTS +AGE/,
          /shop +web-\S+ +1\/1 +Running +0/
        )
        contains(
          yield* succeed("get", "deploy", "-A", "-o", "wide"),
          /READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES +SELECTOR/,
          /shop +web +1\/1 +1 +1 +\S+ +app +one +app=web/
        )
        contains(
          yield* succeed("get", "all", "-n", "shop"),
          /deployment.apps\/web/,
          /replicaset.apps\/web-/,
          /pod\/web-/
        )
        contains(yield* succeed("get", "deploy", "web", "-n", "shop", "-o", "yaml"), /uid: /, /replicas: 1/)
        contains(yield* succeed("get", "pods", "-n", "shop", "-l", "app in (web),!none"), /web-/)
        contains(
          yield* succeed("api-resources"),
          /deployments +deploy +apps\/v1 +true +Deployment/,
          /httproutes +gateway.networking.k8s.io\/v1 +true +HTTPRoute/
        )
        const kubectl = yield* Kubectl
        assert.match(
          (yield* kubectl.run("get", "nothings")).errors,
          /doesn't have a resource type "nothings"/
        )
        assert.match((yield* kubectl.run("get", "deploy", "none", "-n", "shop")).errors, /\(NotFound\)/)
      })
    )
  )

  it.live("describes a deployment and a pod with their events", () =>
    onCluster((file) =>
      Effect.gen(function* () {
        yield* applied(file)
        const described = (kind: string, name: string) =>
          eventually(`${kind} described`, succeed("describe", kind, name, "-n", "shop"), (text) =>
            /Events:\n +Type/.test(text)
          )
        contains(
          yield* described("deployment", "web"),
          /Selector: +app=web/,
          /1 desired \| 1 updated \| 1 total \| 1 available \| 0 unavailable/,
          /Available +True +MinimumReplicasAvailable/,
          /ScalingReplicaSet/
        )
        contains(
          yield* described("pod", yield* podName),
          /Image: +one/,
          /Ready: +True/,
          /Controlled By: +ReplicaSet\/web-/
        )
        contains(
          yield* succeed("get", "events", "-n", "shop"),
          /LAST SEEN +TYPE +REASON +OBJECT +MESSAGE/,
          /deployment\/web/
        )
      })
    )
  )

  it.live("tells what pods and the node use", () =>
    onCluster((file) =>
      Effect.gen(function* () {
        yield* applied(file)
        const kubectl = yield* Kubectl
        const { output } = yield* eventually(
          "measured",
          kubectl.run("top", "pods", "-n", "shop"),
          ({ code }) => code === 0
        )
        contains(output, /NAME +CPU\(cores\) +MEMORY\(bytes\)/, /web-\S+ +\d+m +[1-9]\d*Mi/)
        contains(yield* succeed("top", "node"), /launchpad +\d+m/)
        contains(yield* succeed("get", "hpa,pdb,cronjob,job,quota,limits,netpol,role", "-A"), /^$/)
        writeFileSync(file, autoscaler)
        yield* succeed("create", "-f", file)
        const described = yield* eventually(
          "looked at",
          succeed("describe", "hpa", "web", "-n", "shop"),
          (text) => text.includes("AbleToScale")
        )
        contains(
          described,
          /Reference: +Deployment\/web/,
          /resource cpu on pods +\(as a percentage of request\): +<unknown> \/ 50%/,
          /Deployment pods: +1 current \/ 0 desired/,
          /AbleToScale +True +SucceededGetScale/,
          /ScalingActive +False +FailedGetResourceMetric/
        )
        contains(
          yield* succeed("get", "hpa", "-n", "shop"),
          /NAME +REFERENCE +TARGETS +MINPODS +MAXPODS +REPLICAS +AGE/,
          /web +Deployment\/web +cpu: <unknown>\/50% +1 +2 +1 /
        )
      })
    )
  )

  it.live("shows logs, and follows them", () =>
    onCluster((file) =>
      Effect.gen(function* () {
        yield* applied(file)
        const kubectl = yield* Kubectl
        contains(yield* succeed("logs", "deploy/web", "-n", "shop"), /^started\ntick 0/)
        assert.lengthOf(
          (yield* succeed("logs", yield* podName, "-n", "shop", "--tail=2")).trim().split("\n"),
          2
        )
        const followed = yield* kubectl.follow("logs", "-f", yield* podName, "-n", "shop")
        const seen = yield* eventually("first lines", Effect.sync(followed), (text) => text.includes("tick"))
        yield* eventually("more lines", Effect.sync(followed), (text) => text.length > seen.length)
      }).pipe(Effect.scoped)
    )
  )

  it.live("watches, scales, restarts and deletes", () =>
    onCluster((file) =>
      Effect.gen(function* () {
        yield* applied(file)
        const kubectl = yield* Kubectl
        const watched = yield* kubectl.follow("get", "pods", "-n", "shop", "-w")
        yield* succeed("scale", "deploy/web", "-n", "shop", "--replicas=2")
        contains(
          yield* succeed("rollout", "status", "deploy/web", "-n", "shop", "--timeout=15s"),
          /successfully rolled out/
        )
        yield* eventually(
          "both pods watched",
          Effect.sync(watched),
          (text) => new Set(text.match(/^web-\S+(?= +1\/1)/gm)).size === 2
        )
        const gone = yield* podName
        contains(yield* succeed("delete", "pod", gone, "-n", "shop"), /deleted/)
        yield* settled("web")
        assert.notInclude(
          (yield* podsOf("web")).map(({ metadata }) => metadata.name),
          gone
        )
        yield* succeed("rollout", "restart", "deploy/web", "-n", "shop")
        yield* succeed("rollout", "status", "deploy/web", "-n", "shop", "--timeout=15s")
        contains(yield* succeed("delete", "-f", file, "--ignore-not-found"), /namespace "shop" deleted/)
        assert.isEmpty(yield* podsOf("web"))
      }).pipe(Effect.scoped)
    )
  )
})
