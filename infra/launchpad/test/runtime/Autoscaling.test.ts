/** An autoscaler that follows what real processes use. */
import { assert, describe, it } from "@effect/vitest"
import { at } from "@starform/launchpad/kubernetes/kinds/TableColumn"
import { Duration, Effect } from "effect"
import { conditions, create, get } from "../controllers/ControllersHarness.ts"
import {
  createApp,
  ensureNamespace,
  eventually,
  objectsMemory,
  planes,
  serverScript,
  settled
} from "./LocalCluster.ts"
import { makeFolder, writeImage } from "./PodHarness.ts"

/** Busy for more than half of the time. */
const busy = "setInterval(() => { const end = Date.now() + 30; while (Date.now() < end); }, 50)"

describe("autoscaling on the local cluster", () => {
  it.live("adds pods when processes are busy, up to the most", () =>
    Effect.gen(function* () {
      const folder = yield* makeFolder
      writeImage(folder, "busy", serverScript("one", busy))
      const cluster = planes(
        folder,
        { usagePeriod: Duration.millis(300) },
        { autoscalerPeriod: Duration.millis(300) }
      )
      yield* Effect.gen(function* () {
        yield* ensureNamespace
        const resources = { requests: { cpu: "100m", memory: "16Mi" } }
        const topologySpreadConstraints = [
          { maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "DoNotSchedule" }
        ]
        yield* createApp({
          name: "web",
          image: "busy",
          container: { resources },
          pod: { topologySpreadConstraints }
        })
        yield* settled("web")
        yield* create(
          "autoscaling/horizontalpodautoscalers",
          "autoscaling/v2",
          "HorizontalPodAutoscaler",
          "web",
          {
            spec: {
              scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" },
              maxReplicas: 2,
              metrics: [
                {
                  type: "Resource",
                  resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } }
                }
              ]
            }
          }
        )
        const found = yield* eventually(
          "scaled",
          get("autoscaling/horizontalpodautoscalers", "web"),
          (autoscaler) => at(autoscaler, "status", "currentReplicas") === 2
        )
        assert.include(conditions(found), "ScalingActive=True ValidMetricFound")
        yield* settled("web")
      }).pipe(Effect.provide(cluster))
    }).pipe(Effect.provide(objectsMemory))
  )
})
