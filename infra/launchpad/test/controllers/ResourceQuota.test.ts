import { assert, describe, it } from "@effect/vitest"
import { ClusterObjects } from "@starform/launchpad/kubernetes/ClusterObjects"
import { at } from "@starform/launchpad/kubernetes/kinds/TableColumn"
import { Effect } from "effect"
import { namespace } from "../runtime/LocalCluster.ts"
import { controlled, create, get, play, until } from "./ControllersHarness.ts"

const used = Effect.map(get("resourcequotas", "q"), (quota) => at(quota, "status", "used"))

const quota = Effect.andThen(
  create("resourcequotas", "v1", "ResourceQuota", "q", {
    spec: { hard: { pods: "1", "requests.memory": "1Gi" } }
  }),
  until("counted", used, (found) => found !== undefined)
)

const pod = (name: string) =>
  create("pods", "v1", "Pod", name, {
    spec: { containers: [{ name: "app", image: "x", resources: { requests: { memory: "256Mi" } } }] }
  })

describe("the account of a ResourceQuota", () => {
  it.effect("is there soon, follows what is let in, and what goes or is over", () =>
    controlled(
      Effect.gen(function* () {
        const objects = yield* ClusterObjects
        yield* pod("before")
        assert.deepStrictEqual(yield* quota, { pods: "1", "requests.memory": "256Mi" })
        const refused = yield* Effect.flip(pod("second"))
        assert.include(refused.text, "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1")
        yield* objects.remove({ resource: "pods", namespace, name: "before" }, { gracePeriodSeconds: 0 })
        yield* until("free again", used, (found) => at(found, "pods") === "0")
        const second = yield* pod("second")
        assert.strictEqual(at(yield* used, "pods"), "1")
        yield* play(second, "Succeeded")
        const left = yield* until("over", used, (found) => at(found, "pods") === "0")
        assert.strictEqual(at(left, "requests.memory"), "0")
      })
    )
  )

  it.effect("says in the ReplicaSet and in the Deployment why pods are missing", () =>
    controlled(
      Effect.gen(function* () {
        yield* quota
        yield* pod("first")
        yield* create("apps/deployments", "apps/v1", "Deployment", "web", {
          spec: {
            selector: { matchLabels: { app: "web" } },
            template: {
              metadata: { labels: { app: "web" } },
              spec: { containers: [{ name: "app", image: "x", resources: { requests: { memory: "1Mi" } } }] }
            }
          }
        })
        const text = Effect.map(get("apps/deployments", "web"), (found) => JSON.stringify(found?.["status"]))
        yield* until("told", text, (status) =>
          /"ReplicaFailure".*"FailedCreate".*exceeded quota: q, requested: pods=1/.test(status)
        )
      })
    )
  )
})
