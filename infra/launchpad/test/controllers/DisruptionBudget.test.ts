import { assert, describe, it } from "@effect/vitest"
import { at } from "@starform/launchpad/kubernetes/kinds/TableColumn"
import { Effect } from "effect"
import { conditions, controlled, create, get, list, play, until } from "./ControllersHarness.ts"

const template = {
  metadata: { labels: { app: "web" } },
  spec: { containers: [{ name: "app", image: "x" }] }
}

const selector = { matchLabels: { app: "web" } }

const web = create("apps/deployments", "apps/v1", "Deployment", "web", {
  spec: { replicas: 3, selector, template }
})

const budget = get("policy/poddisruptionbudgets", "web")

const createBudget = (spec: Readonly<Record<string, unknown>>) =>
  create("policy/poddisruptionbudgets", "policy/v1", "PodDisruptionBudget", "web", {
    spec: { ...spec, selector }
  })

describe("a PodDisruptionBudget", () => {
  for (const [spec, desiredHealthy, allowed] of [
    [{ minAvailable: 1 }, 1, 2],
    [{ minAvailable: "50%" }, 2, 1],
    [{ maxUnavailable: 1 }, 2, 1],
    [{ maxUnavailable: "34%" }, 1, 2]
  ] as const) {
    it.effect(`of ${JSON.stringify(spec)} among three ready pods`, () =>
      controlled(
        Effect.gen(function* () {
          yield* web
          yield* createBudget(spec)
          const pods = yield* until("pods", list("pods"), (all) => all.length === 3)
          yield* until("looked at", budget, (found) => conditions(found).length === 1)
          assert.deepStrictEqual(conditions(yield* budget), ["DisruptionAllowed=False InsufficientPods"])
          for (const pod of pods) yield* play(pod, "Running")
          const found = yield* until("healthy", budget, (one) => at(one, "status", "currentHealthy") === 3)
          assert.deepInclude(found?.["status"], {
            desiredHealthy,
            disruptionsAllowed: allowed,
            expectedPods: 3,
            observedGeneration: 1
          })
          assert.deepStrictEqual(conditions(found), ["DisruptionAllowed=True SufficientPods"])
        })
      )
    )
  }

  it.effect("says so when it cannot know how many pods there should be", () =>
    controlled(
      Effect.gen(function* () {
        yield* create("pods", "v1", "Pod", "alone", { spec: template.spec })
        yield* create("policy/poddisruptionbudgets", "policy/v1", "PodDisruptionBudget", "web", {
          spec: { maxUnavailable: 1, selector: {} }
        })
        const found = yield* until("looked at", budget, (one) => conditions(one).length === 1)
        assert.deepStrictEqual(conditions(found), ["DisruptionAllowed=False SyncFailed"])
      })
    )
  )
})
