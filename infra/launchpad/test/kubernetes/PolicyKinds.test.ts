/** Kinds of access, policy, scaling and batch work: what they refuse, what they fill in, how they are listed. */
import { assert, describe, it } from "@effect/vitest"
import { isObject } from "@starform/launchpad/kubernetes/JsonValue"
import { at } from "@starform/launchpad/kubernetes/kinds/TableColumn"
import { Effect } from "effect"
import { ask, inNamespace, table } from "./ApiRequests.ts"

const pod = { restartPolicy: "Never", containers: [{ name: "job", image: "registry.example.com/job:1" }] }

const paths = {
  Role: "rbac.authorization.k8s.io/v1/namespaces/demo/roles",
  RoleBinding: "rbac.authorization.k8s.io/v1/namespaces/demo/rolebindings",
  NetworkPolicy: "networking.k8s.io/v1/namespaces/demo/networkpolicies",
  PodDisruptionBudget: "policy/v1/namespaces/demo/poddisruptionbudgets",
  HorizontalPodAutoscaler: "autoscaling/v2/namespaces/demo/horizontalpodautoscalers",
  CronJob: "batch/v1/namespaces/demo/cronjobs",
  Job: "batch/v1/namespaces/demo/jobs"
}

type Kind = keyof typeof paths

const create = (kind: Kind, fields: Readonly<Record<string, unknown>>, name = "x") => {
  const [group, version] = paths[kind].split("/")
  const body = { apiVersion: `${group}/${version}`, kind, metadata: { name, namespace: "demo" }, ...fields }
  return ask("POST", `/apis/${paths[kind]}`, body)
}

const cronJob = (spec: Readonly<Record<string, unknown>>) => ({
  spec: { schedule: "0 3 * * *", jobTemplate: { spec: { template: { spec: pod } } }, ...spec }
})

const autoscaler = (spec: Readonly<Record<string, unknown>>) => ({
  spec: {
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" },
    maxReplicas: 3,
    ...spec
  }
})

const drained = {
  ...pod,
  containers: [{ ...pod.containers[0], lifecycle: { preStop: { sleep: { seconds: 31 } } } }]
}
const spread = { ...pod, topologySpreadConstraints: [{ maxSkew: 0, whenUnsatisfiable: "ScheduleAnyway" }] }

const refusals: ReadonlyArray<readonly [Kind, Readonly<Record<string, unknown>>, string]> = [
  [
    "Role",
    { rules: [{ apiGroups: [""], resources: ["pods"] }] },
    'Role.rbac.authorization.k8s.io "x" is invalid: rules[0].verbs: Required value: verbs must contain at least one value'
  ],
  [
    "RoleBinding",
    { roleRef: { kind: "Rule", name: "x" } },
    'RoleBinding.rbac.authorization.k8s.io "x" is invalid: roleRef.kind: Unsupported value: "Rule": supported values: "Role", "ClusterRole"'
  ],
  [
    "NetworkPolicy",
    { spec: { ingress: [{ from: [{}] }] } },
    'NetworkPolicy.networking.k8s.io "x" is invalid: spec.ingress[0].from[0]: Required value: must specify a peer'
  ],
  [
    "PodDisruptionBudget",
    { spec: { minAvailable: "120%" } },
    'PodDisruptionBudget.policy "x" is invalid: spec.minAvailable: Invalid value: "120%": must not be greater than 100%'
  ],
  [
    "HorizontalPodAutoscaler",
    autoscaler({ minReplicas: 5 }),
    'HorizontalPodAutoscaler.autoscaling "x" is invalid: spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`'
  ],
  [
    "HorizontalPodAutoscaler",
    autoscaler({
      metrics: [
        { type: "Resource", resource: { name: "cpu", target: { type: "AverageValue", averageValue: "0" } } }
      ]
    }),
    'HorizontalPodAutoscaler.autoscaling "x" is invalid: spec.metrics[0].resource.target.averageValue: Invalid value: "0": must be positive'
  ],
  [
    "HorizontalPodAutoscaler",
    autoscaler({ behavior: { scaleUp: { selectPolicy: "Most", stabilizationWindowSeconds: 3601 } } }),
    'HorizontalPodAutoscaler.autoscaling "x" is invalid: [spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600, spec.behavior.scaleUp.selectPolicy: Unsupported value: "Most": supported values: "Disabled", "Max", "Min"]'
  ],
  [
    "HorizontalPodAutoscaler",
    autoscaler({
      behavior: {
        scaleDown: { policies: [{ type: "Half", value: 0, periodSeconds: 1801 }], tolerance: "-1" }
      }
    }),
    'HorizontalPodAutoscaler.autoscaling "x" is invalid: [spec.behavior.scaleDown.policies[0].type: Unsupported value: "Half": supported values: "Percent", "Pods", spec.behavior.scaleDown.policies[0].value: Invalid value: 0: must be greater than zero, spec.behavior.scaleDown.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800, spec.behavior.scaleDown.tolerance: Invalid value: "-1": must be greater than or equal to 0]'
  ],
  [
    "CronJob",
    cronJob({ schedule: "0 3 * *" }),
    'CronJob.batch "x" is invalid: spec.schedule: Invalid value: "0 3 * *": expected exactly 5 fields, found 4: [0 3 * *]'
  ],
  [
    "CronJob",
    cronJob({ schedule: "61 3 * * *" }),
    'CronJob.batch "x" is invalid: spec.schedule: Invalid value: "61 3 * * *": end of range (61) above maximum (59): 61'
  ],
  [
    "CronJob",
    cronJob({ timeZone: "Mars/Olympus" }),
    'CronJob.batch "x" is invalid: spec.timeZone: Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus'
  ],
  [
    "Job",
    { spec: { template: { spec: { ...pod, restartPolicy: "Always" } } } },
    'Job.batch "x" is invalid: spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'
  ],
  [
    "Job",
    { spec: { template: { spec: drained } } },
    'Job.batch "x" is invalid: spec.template.spec.containers[0].lifecycle.preStop.sleep.seconds: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)'
  ],
  [
    "Job",
    { spec: { template: { spec: spread } } },
    'Job.batch "x" is invalid: [spec.template.spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero, spec.template.spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty]'
  ]
]

describe("kinds of access, policy, scaling and batch work", () => {
  for (const [kind, fields, message] of refusals) {
    it.live(`refuses: ${message}`, () =>
      inNamespace(
        Effect.gen(function* () {
          const answer = yield* create(kind, fields)
          assert.deepStrictEqual([answer.status, answer.body["message"]], [422, message])
        })
      )
    )
  }

  it.live("gives a job the labels by which its pods are told from all others", () =>
    inNamespace(
      Effect.gen(function* () {
        const { body } = yield* create("Job", { spec: { template: { spec: pod } } })
        const { spec, status } = body
        assert.deepStrictEqual(at(spec, "selector", "matchLabels"), {
          "batch.kubernetes.io/controller-uid": at(body, "metadata", "uid")
        })
        assert.strictEqual(at(spec, "template", "metadata", "labels", "batch.kubernetes.io/job-name"), "x")
        assert.deepInclude(spec, { backoffLimit: 6, completions: 1, parallelism: 1, suspend: false })
        assert.deepStrictEqual(status, {})
        const changed = yield* ask("PUT", `/apis/${paths.Job}/x`, {
          ...body,
          spec: { ...(isObject(spec) ? spec : {}), completions: 2 }
        })
        assert.strictEqual(
          changed.body["message"],
          'Job.batch "x" is invalid: spec.completions: Invalid value: 2: field is immutable'
        )
      })
    )
  )

  it.live("writes an amount in the one form that Kubernetes writes", () =>
    inNamespace(
      Effect.gen(function* () {
        const quota = { "requests.cpu": "1500m", "limits.cpu": "2000m", "requests.memory": "1024Mi", pods: 3 }
        const { body } = yield* ask("POST", "/api/v1/namespaces/demo/resourcequotas", {
          apiVersion: "v1",
          kind: "ResourceQuota",
          metadata: { name: "x" },
          spec: { hard: quota }
        })
        assert.deepStrictEqual(at(body, "spec", "hard"), {
          "requests.cpu": "1500m",
          "limits.cpu": "2",
          "requests.memory": "1Gi",
          pods: "3"
        })
      })
    )
  )

  it.live("refuses another role in a binding that exists", () =>
    inNamespace(
      Effect.gen(function* () {
        const binding = yield* create("RoleBinding", { roleRef: { kind: "Role", name: "a" } })
        const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "b" }
        const { status } = yield* ask("PUT", `/apis/${paths.RoleBinding}/x`, { ...binding.body, roleRef })
        assert.strictEqual(status, 422)
      })
    )
  )

  it.live("is listed as kubectl prints it", () =>
    inNamespace(
      Effect.gen(function* () {
        yield* create("HorizontalPodAutoscaler", autoscaler({}))
        yield* create("CronJob", cronJob({ timeZone: "Europe/Berlin" }))
        yield* create("Job", { spec: { template: { spec: pod } } })
        yield* create("PodDisruptionBudget", { spec: { maxUnavailable: 1, selector: {} } })
        const [autoscalers, cronJobs, jobs, budgets] = yield* Effect.all([
          table(`/apis/${paths.HorizontalPodAutoscaler}`),
          table(`/apis/${paths.CronJob}`),
          table(`/apis/${paths.Job}`),
          table(`/apis/${paths.PodDisruptionBudget}`)
        ])
        assert.deepInclude(autoscalers[0], {
          Reference: "Deployment/web",
          Targets: "cpu: <unknown>/80%",
          MinPods: "1",
          MaxPods: 3,
          Replicas: 0
        })
        assert.deepInclude(cronJobs[0], {
          Schedule: "0 3 * * *",
          Timezone: "Europe/Berlin",
          Suspend: "False",
          Active: 0,
          "Last Schedule": "<none>"
        })
        assert.deepInclude(jobs[0], { Status: "Running", Completions: "0/1" })
        assert.deepInclude(budgets[0], { "Min Available": "N/A", "Max Unavailable": "1" })
      })
    )
  )
})
