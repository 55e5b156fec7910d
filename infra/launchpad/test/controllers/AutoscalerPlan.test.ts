/** What an autoscaler decides and says, look by look, as Kubernetes 1.36's controller does. */
import { assert, describe, it } from "@effect/vitest"
import {
  type AutoscalerFacts,
  type AutoscalerPlan,
  planAutoscaler,
  refused
} from "@starform/launchpad/controllers/AutoscalerPlan"
import { statusOf } from "@starform/launchpad/controllers/AutoscalerStatus"
import { defaults } from "@starform/launchpad/controllers/ControllersConfig"
import { AutoscalerObject, ScaleTarget } from "@starform/launchpad/controllers/objects/AutoscalerObject"
import { PodObject } from "@starform/launchpad/controllers/objects/PodObject"
import { withScale } from "@starform/launchpad/controllers/AutoscalerPace"
import { Schema } from "effect"

const startedMs = 0
const nowMs = 3_600_000
const time = (ms: number) => new Date(ms).toISOString()

interface Given {
  readonly millicores?: number | undefined
  readonly megabytes?: number
  readonly requests?: Readonly<Record<string, string>>
  readonly phase?: string
  readonly isReady?: boolean
  readonly startMs?: number
  readonly turnedMs?: number
  readonly isTerminating?: boolean
  /** Another container beside `app`, whose usage is this. */
  readonly besideMillicores?: number
}

const metadata = (name: string) => ({
  name,
  namespace: "shop",
  uid: name,
  creationTimestamp: time(0)
})

const podOf = (given: Given, index: number) => {
  const { isReady = true, phase = "Running", startMs = startedMs } = given
  const resources = { requests: given.requests ?? { cpu: "100m", memory: "100Mi" } }
  const containers = [{ name: "app", resources }]
  return Schema.decodeSync(PodObject)({
    metadata: {
      ...metadata(`web-${index}`),
      ...(given.isTerminating === true ? { deletionTimestamp: time(nowMs) } : {})
    },
    spec: {
      containers:
        given.besideMillicores === undefined ? containers : [...containers, { name: "beside", resources }]
    },
    status: {
      phase,
      startTime: time(startMs),
      conditions: [
        {
          type: "Ready",
          status: isReady ? "True" : "False",
          lastTransitionTime: time(given.turnedMs ?? startMs)
        }
      ]
    }
  })
}

const useOf = ({ besideMillicores, megabytes = 10, millicores }: Given, index: number) => {
  const use = (name: string, cores: number) => ({
    name,
    cpuNanos: cores * 1_000_000,
    memoryBytes: megabytes * 1024 * 1024
  })
  return millicores === undefined
    ? []
    : [
        {
          namespace: "shop",
          name: `web-${index}`,
          atMs: nowMs,
          windowMs: 15_000,
          containers: [
            use("app", millicores),
            ...(besideMillicores === undefined ? [] : [use("beside", besideMillicores)])
          ]
        }
      ]
}

const target = (name: string, averageUtilization: number) => ({
  name,
  target: { type: "Utilization", averageUtilization }
})
const percent = (name: string, averageUtilization: number) => ({
  type: "Resource",
  resource: target(name, averageUtilization)
})

type Spec = (typeof AutoscalerObject)["Encoded"]["spec"]
type Rules = NonNullable<Spec["behavior"]>["scaleUp"]

const factsOf = (
  pods: ReadonlyArray<Given>,
  spec: Partial<Spec> = {},
  more: Partial<AutoscalerFacts> = {}
): AutoscalerFacts => ({
  autoscaler: Schema.decodeSync(AutoscalerObject)({
    metadata: metadata("web"),
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" },
      minReplicas: 1,
      maxReplicas: 20,
      metrics: [percent("cpu", 50)],
      ...spec
    },
    status: {
      currentReplicas: 3,
      desiredReplicas: 7,
      currentMetrics: ["before"],
      conditions: [
        { type: "AbleToScale", status: "True", reason: "x", message: "x", lastTransitionTime: time(5) }
      ]
    }
  }),
  target: Schema.decodeSync(ScaleTarget)({
    metadata: metadata("web"),
    spec: { replicas: pods.length, selector: { matchLabels: { app: "web" } } }
  }),
  pods: pods.map(podOf),
  selector: "app=web",
  uses: pods.flatMap(useOf),
  claimants: ["shop/web"],
  memory: { recommended: [], scaled: [] },
  nowMs,
  settings: defaults,
  ...more
})

const of = (count: number, given: Given): ReadonlyArray<Given> => Array.from({ length: count }, () => given)
const conditions = (plan: AutoscalerPlan) =>
  plan.conditions.map(([type, status, reason]) => `${type}=${status} ${reason}`)
const messages = (plan: AutoscalerPlan) => plan.conditions.map(([, , , message]) => message)
const desired = (facts: AutoscalerFacts) => planAutoscaler(facts).desired
/** Of an autoscaler that looked before, and found nothing to do but what is said. */
const past = (replicas: number, agoSeconds = 400, scaled: AutoscalerFacts["memory"]["scaled"] = []) => ({
  memory: { recommended: [{ atMs: nowMs - agoSeconds * 1000, replicas }], scaled }
})

describe("planAutoscaler: usage", () => {
  it("leaves alone what differs from the target by a tenth, and no more", () => {
    const looks = [44, 45, 50, 55, 56].map((millicores) =>
      desired(factsOf(of(10, { millicores }), {}, past(1)))
    )
    assert.deepStrictEqual(looks, [9, 10, 10, 10, 12])
  })

  it("takes a tolerance of its own for each direction", () => {
    const policies = [{ type: "Percent", value: 100, periodSeconds: 15 } as const]
    const rules = { selectPolicy: "Max", policies } as const
    const behavior = { scaleUp: { ...rules, tolerance: "0.02" }, scaleDown: { ...rules, tolerance: "300m" } }
    const looks = [34, 36, 51, 52].map((millicores) =>
      desired(factsOf(of(10, { millicores }), { behavior }, past(1)))
    )
    assert.deepStrictEqual(looks, [7, 10, 10, 11])
  })

  it("takes what is not measured for full when pods would go, for idle when they would come", () => {
    const missing = of(2, { millicores: undefined })
    assert.strictEqual(desired(factsOf([...of(2, { millicores: 20 }), ...missing], {}, past(1))), 4)
    assert.strictEqual(desired(factsOf([...of(6, { millicores: 20 }), ...missing], {}, past(1))), 7)
    assert.strictEqual(desired(factsOf([...of(2, { millicores: 150 }), ...missing])), 6)
  })

  it("never scales down on what it could not measure, when the rest is exactly on target (INV-CTL-10)", () => {
    const pods = [...of(2, { millicores: 50 }), ...of(2, { millicores: undefined })]
    assert.strictEqual(desired(factsOf(pods, {}, past(1))), 4)
  })

  it("counts the processor time of a pod once it was ready for a whole window", () => {
    const startMs = nowMs - 60_000
    const settled = of(2, { millicores: 100 })
    const with_ = (one: Given) => desired(factsOf([...settled, one]))
    assert.strictEqual(with_({ millicores: 100 }), 6)
    assert.strictEqual(with_({ millicores: 100, startMs, turnedMs: nowMs - 14_000 }), 4, "too new")
    assert.strictEqual(with_({ millicores: 100, startMs, turnedMs: nowMs - 15_000 }), 6, "a window old")
    assert.strictEqual(with_({ millicores: 100, startMs, isReady: false }), 4, "not ready yet")
    assert.strictEqual(with_({ millicores: 100, isReady: false, turnedMs: 29_000 }), 4, "never was ready")
    assert.strictEqual(with_({ millicores: 100, isReady: false, turnedMs: 31_000 }), 6, "was ready once")
    assert.strictEqual(with_({ phase: "Pending" }), 4)
  })

  it("counts neither pods that are ending nor failed ones", () => {
    const pods = [
      ...of(2, { millicores: 100 }),
      { millicores: 0, isTerminating: true },
      { millicores: undefined, phase: "Failed" }
    ]
    assert.strictEqual(desired(factsOf(pods)), 4)
  })

  it("measures one container alone, or an average in units", () => {
    const pods = of(2, { millicores: 100, besideMillicores: 0, megabytes: 30 })
    assert.strictEqual(desired(factsOf(pods)), 2)
    const one = { type: "ContainerResource", containerResource: { ...target("cpu", 50), container: "app" } }
    const plan = planAutoscaler(factsOf(pods, { metrics: [one] }))
    assert.strictEqual(plan.desired, 4)
    assert.include(messages(plan)[1], "from cpu container resource utilization (percentage of request)")
    assert.deepStrictEqual(plan.metrics, [
      {
        type: "ContainerResource",
        containerResource: {
          name: "cpu",
          container: "app",
          current: { averageValue: "100m", averageUtilization: 100 }
        }
      }
    ])
    const units = {
      type: "Resource",
      resource: { name: "memory", target: { type: "AverageValue", averageValue: "40Mi" } }
    }
    const byUnits = planAutoscaler(factsOf(pods, { metrics: [units] }))
    assert.strictEqual(byUnits.desired, 3)
    assert.include(messages(byUnits)[1], "from memory resource")
    assert.deepStrictEqual(byUnits.metrics, [
      { type: "Resource", resource: { name: "memory", current: { averageValue: "62914560" } } }
    ])
  })
})

describe("planAutoscaler: what is missing", () => {
  const failing = (
    pods: ReadonlyArray<Given>,
    metrics: NonNullable<Spec["metrics"]> = [percent("cpu", 50)]
  ) => {
    const facts = factsOf(pods, { metrics })
    const plan = planAutoscaler(facts)
    assert.isFalse(plan.isScaled)
    assert.strictEqual(statusOf(facts, plan).desiredReplicas, 7, "what was desired before stays")
    assert.strictEqual(statusOf(facts, plan).currentReplicas, pods.length)
    const [, second] = plan.conditions
    return `${second?.[2]}: ${second?.[3].split("replica count: ")[1]}`
  }

  it("is named as Kubernetes names it, and in its order", () => {
    const containers = [
      { type: "ContainerResource", containerResource: { ...target("cpu", 50), container: "none" } }
    ]
    assert.deepStrictEqual(
      [
        failing(of(2, { millicores: undefined, requests: {} })),
        failing(of(2, { millicores: 10, requests: {}, phase: "Pending" })),
        failing([{ millicores: 10 }, { millicores: 10, requests: {} }]),
        failing([{ millicores: 10 }, { millicores: 10, requests: {}, isTerminating: true }]),
        failing(of(2, { millicores: 10, requests: { cpu: "0" } })),
        failing(of(2, { millicores: 10 }), containers),
        failing(of(2, { millicores: 10 }), [{ type: "External" }])
      ],
      [
        "FailedGetResourceMetric: failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API",
        "FailedGetResourceMetric: failed to get cpu utilization: did not receive metrics for targeted pods (pods might be unready)",
        "FailedGetResourceMetric: failed to get cpu utilization: missing request for cpu in container app of Pod web-1",
        "FailedGetResourceMetric: failed to get cpu utilization: missing request for cpu in container app of Pod web-1",
        "FailedGetResourceMetric: failed to get cpu utilization: no metrics returned matched known pods",
        "FailedGetContainerResourceMetric: failed to get cpu utilization: did not receive metrics for targeted pods (pods might be unready)",
        "FailedGetExternalMetric: metrics of type External are not served here"
      ]
    )
  })

  it("does not hinder more pods, but fewer; its place in the status is kept", () => {
    const metrics = [{ type: "External" }, percent("cpu", 50)]
    const more = planAutoscaler(factsOf(of(2, { millicores: 100 }), { metrics }))
    assert.strictEqual(more.desired, 4)
    assert.include(conditions(more), "ScalingActive=True ValidMetricFound")
    assert.deepStrictEqual(more.metrics, [
      { type: "" },
      {
        type: "Resource",
        resource: { name: "cpu", current: { averageValue: "100m", averageUtilization: 100 } }
      }
    ])
    assert.deepStrictEqual(
      more.warnings.map(({ reason }) => reason),
      ["FailedGetExternalMetric"]
    )
    const fewer = planAutoscaler(factsOf(of(4, { millicores: 10 }), { metrics }, past(1)))
    assert.isFalse(fewer.isScaled)
    assert.deepStrictEqual(conditions(fewer), [
      "AbleToScale=True SucceededGetScale",
      "ScalingActive=False FailedGetExternalMetric"
    ])
    assert.deepStrictEqual(fewer.warnings[1], {
      reason: "FailedComputeMetricsReplicas",
      message:
        "invalid metrics (1 invalid out of 2), first error is: failed to get external metric value: metrics of type External are not served here"
    })
  })

  it("is the target: nothing but the condition changes", () => {
    const facts = factsOf([], {}, { target: undefined })
    const plan = planAutoscaler(facts)
    assert.deepInclude(statusOf(facts, plan), {
      currentReplicas: 3,
      desiredReplicas: 7,
      currentMetrics: ["before"]
    })
    assert.strictEqual(plan.warnings[0]?.message, 'deployments.apps "web" not found')
    const scaleTargetRef = { apiVersion: "apps/v1", kind: "StatefulSet", name: "web" }
    const unknown = planAutoscaler(factsOf([], { scaleTargetRef }, { target: undefined }))
    assert.strictEqual(unknown.warnings[0]?.message, 'no matches for kind "StatefulSet" in group "apps"')
  })

  it("is a second autoscaler's claim on the same pods: neither scales", () => {
    const plan = planAutoscaler(
      factsOf(of(2, { millicores: 100 }), {}, { claimants: ["shop/other", "shop/web"] })
    )
    assert.isFalse(plan.isScaled)
    assert.deepStrictEqual(conditions(plan)[1], "ScalingActive=False AmbiguousSelector")
    assert.strictEqual(
      messages(plan)[1],
      "pods by selector app=web are controlled by multiple HPAs: [shop/other shop/web]"
    )
  })

  it("is the right to write the scale: said, and not remembered as done", () => {
    const facts = factsOf(of(2, { millicores: 100 }))
    const plan = refused(facts, planAutoscaler(facts), "no")
    assert.deepStrictEqual(conditions(plan), [
      "AbleToScale=False FailedUpdateScale",
      "ScalingActive=True ValidMetricFound",
      "ScalingLimited=False DesiredWithinRange"
    ])
    assert.isFalse(plan.isScaled)
    assert.strictEqual(plan.desired, 7)
    assert.isEmpty(plan.memory.scaled)
    assert.strictEqual(
      plan.warnings[0]?.message,
      "New size: 4; reason: cpu resource utilization (percentage of request) above target; error: no"
    )
  })
})

describe("planAutoscaler: pace", () => {
  const busy = (count: number) => of(count, { millicores: 1000 })
  const idle = (count: number) => of(count, { millicores: 1 })
  const rules = (
    policies: ReadonlyArray<readonly ["Pods" | "Percent", number, number]>,
    more: Partial<Rules> = {}
  ): Rules => ({
    selectPolicy: "Max",
    policies: policies.map(([type, value, periodSeconds]) => ({ type, value, periodSeconds })),
    ...more
  })
  const up = (scaleUp: Rules) => ({ behavior: { scaleUp, scaleDown: rules([["Percent", 100, 15]]) } })
  const down = (scaleDown: Rules) => ({
    behavior: {
      scaleUp: rules([["Percent", 100, 15]]),
      scaleDown: { stabilizationWindowSeconds: 0, ...scaleDown }
    }
  })

  it("without a behavior doubles at most, or has four", () => {
    assert.deepStrictEqual(
      [1, 2, 3, 8, 12].map((count) => desired(factsOf(busy(count)))),
      [4, 4, 6, 16, 20]
    )
    assert.include(conditions(planAutoscaler(factsOf(busy(3)))), "ScalingLimited=True ScaleUpLimit")
    assert.include(conditions(planAutoscaler(factsOf(busy(12)))), "ScalingLimited=True TooManyReplicas")
  })

  it("without a behavior goes down in one step when the window is over, and not before", () => {
    const early = planAutoscaler(factsOf(idle(8), { minReplicas: 3 }, past(8, 299)))
    assert.strictEqual(early.desired, 8)
    assert.include(conditions(early), "AbleToScale=True ScaleDownStabilized")
    const late = planAutoscaler(factsOf(idle(8), { minReplicas: 3 }, past(8, 301)))
    assert.strictEqual(late.desired, 3)
    assert.deepStrictEqual(conditions(late), [
      "AbleToScale=True SucceededRescale",
      "ScalingActive=True ValidMetricFound",
      "ScalingLimited=True TooFewReplicas"
    ])
    assert.strictEqual(late.reason, "All metrics below target")
  })

  it("begins the window with the first look at a target, measured or not", () => {
    const first = planAutoscaler(factsOf(of(8, { millicores: undefined })))
    assert.deepStrictEqual(first.memory.recommended, [{ atMs: nowMs, replicas: 8 }])
    const bounded = planAutoscaler(factsOf(busy(2), { minReplicas: 4 }))
    assert.strictEqual(bounded.desired, 4)
    assert.strictEqual(bounded.reason, "Current number of replicas below Spec.MinReplicas")
    assert.deepStrictEqual(bounded.memory.recommended, [{ atMs: nowMs, replicas: 2 }])
  })

  it("keeps to a behavior's rates, counted from what there was at the beginning of the period", () => {
    const two = rules([["Pods", 2, 60]])
    assert.strictEqual(desired(factsOf(busy(5), up(two))), 7)
    const changes = (seconds: number, replicas: number) => ({ atMs: nowMs - seconds * 1000, replicas })
    const after = (...all: ReadonlyArray<{ readonly atMs: number; readonly replicas: number }>) =>
      past(5, 400, all)
    assert.strictEqual(desired(factsOf(busy(5), up(two), after(changes(30, 1)))), 6)
    assert.strictEqual(desired(factsOf(busy(5), up(two), after(changes(30, 3)))), 5, "never back")
    assert.strictEqual(desired(factsOf(busy(5), up(two), after(changes(61, 2)))), 7)
    assert.strictEqual(desired(factsOf(busy(5), up(two), after(changes(30, -2)))), 9)
    assert.strictEqual(desired(factsOf(idle(10), down(rules([["Percent", 25, 60]])))), 7)
    assert.strictEqual(desired(factsOf(idle(10), down(two), past(10, 400, [changes(30, -1)]))), 9)
    const slow = planAutoscaler(factsOf(idle(10), down(two)))
    assert.include(conditions(slow), "ScalingLimited=True ScaleDownLimit")
    const done = withScale(slow.memory, nowMs, slow.desired - 10)
    assert.deepStrictEqual(done.scaled, [{ atMs: nowMs, replicas: -2 }])
  })

  it("takes the wider or the narrower of two policies, or none", () => {
    const both = (selectPolicy: "Max" | "Min" | "Disabled") =>
      rules(
        [
          ["Pods", 1, 60],
          ["Percent", 50, 60]
        ],
        { selectPolicy }
      )
    const all = ["Max", "Min", "Disabled"] as const
    assert.deepStrictEqual(
      all.map((select) => desired(factsOf(busy(10), up(both(select))))),
      [15, 11, 10]
    )
    assert.deepStrictEqual(
      all.map((select) => desired(factsOf(idle(10), down(both(select))))),
      [5, 9, 10]
    )
  })

  it("waits before more pods too, when a behavior says so", () => {
    const slow = up(rules([["Percent", 100, 15]], { stabilizationWindowSeconds: 120 }))
    const early = planAutoscaler(factsOf(busy(5), slow, past(5, 60)))
    assert.strictEqual(early.desired, 5)
    assert.include(conditions(early), "AbleToScale=True ScaleUpStabilized")
    assert.strictEqual(desired(factsOf(busy(5), slow, past(5, 121))), 10)
  })
})
