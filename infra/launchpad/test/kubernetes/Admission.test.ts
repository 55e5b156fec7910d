/** What a namespace's limits, quotas and Pod Security level say to what is created in it, in Kubernetes' words. */
import { assert, describe, it } from "@effect/vitest"
import { at } from "@starform/launchpad/kubernetes/kinds/TableColumn"
import { Effect } from "effect"
import { ask, inNamespace } from "./ApiRequests.ts"

const core = "/api/v1/namespaces/demo"

const pod = (container: Readonly<Record<string, unknown>> = {}, spec = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "x" },
  spec: { ...spec, containers: [{ name: "app", image: "registry.example.com/web:1", ...container }] }
})

const quota = (hard: Readonly<Record<string, unknown>>, used?: Readonly<Record<string, unknown>>) =>
  Effect.gen(function* () {
    const object = { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "q" }, spec: { hard } }
    const { body } = yield* ask("POST", `${core}/resourcequotas`, object)
    if (used !== undefined) {
      yield* ask("PUT", `${core}/resourcequotas/q/status`, { ...body, status: { hard, used } })
    }
  })

const limits = (limit: Readonly<Record<string, unknown>>) =>
  ask("POST", `${core}/limitranges`, {
    apiVersion: "v1",
    kind: "LimitRange",
    metadata: { name: "l" },
    spec: { limits: [limit] }
  })

const refused = (path: string, body: unknown, message: string) =>
  Effect.map(ask("POST", path, body), (answer) =>
    assert.deepStrictEqual(
      [answer.status, answer.body["reason"], answer.body["message"]],
      [403, "Forbidden", message]
    )
  )

const violation =
  'PodSecurity "restricted:latest": ' +
  'allowPrivilegeEscalation != false (container "app" must set securityContext.allowPrivilegeEscalation=false), ' +
  'unrestricted capabilities (container "app" must set securityContext.capabilities.drop=["ALL"]), ' +
  'runAsNonRoot != true (pod or container "app" must set securityContext.runAsNonRoot=true), ' +
  'seccompProfile (pod or container "app" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'

const restricted = { "pod-security.kubernetes.io/enforce": "restricted" }

describe("a namespace of the restricted level", () => {
  it.live("refuses a pod that does not give up what it must", () =>
    inNamespace(refused(`${core}/pods`, pod(), `pods "x" is forbidden: violates ${violation}`), restricted)
  )

  it.live("lets in a pod that does", () =>
    inNamespace(
      Effect.gen(function* () {
        const container = {
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } }
        }
        const spec = {
          securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } }
        }
        const { status } = yield* ask("POST", `${core}/pods`, pod(container, spec))
        assert.strictEqual(status, 201)
      }),
      restricted
    )
  )

  it.live("names host namespaces, host ports, privileges, volumes and root", () =>
    inNamespace(
      Effect.gen(function* () {
        const container = {
          ports: [{ containerPort: 80, hostPort: 80 }],
          securityContext: { privileged: true, runAsUser: 0, capabilities: { add: ["SYS_ADMIN"] } }
        }
        const spec = { hostNetwork: true, volumes: [{ name: "v", hostPath: { path: "/" } }] }
        const { body } = yield* ask("POST", `${core}/pods`, pod(container, spec))
        for (const part of [
          "host namespaces (hostNetwork=true)",
          'hostPort (container "app" uses hostPort 80)',
          'privileged (container "app" must not set securityContext.privileged=true)',
          'restricted volume types (volume "v" uses restricted volume type "hostPath")',
          'runAsUser=0 (container "app" must not set runAsUser=0)',
          'container "app" must not include "SYS_ADMIN" in securityContext.capabilities.add'
        ]) {
          assert.include(String(body["message"]), part)
        }
      }),
      restricted
    )
  )

  it.live("warns about a template and takes it", () =>
    inNamespace(
      Effect.gen(function* () {
        const { spec } = pod()
        const deployment = {
          apiVersion: "apps/v1",
          kind: "Deployment",
          metadata: { name: "x" },
          spec: {
            selector: { matchLabels: { a: "b" } },
            template: { metadata: { labels: { a: "b" } }, spec }
          }
        }
        const path = "/apis/apps/v1/namespaces/demo/deployments"
        const { status, warning } = yield* ask("POST", path, deployment)
        assert.deepStrictEqual(
          [status, warning],
          [201, `299 - ${JSON.stringify(`would violate ${violation}`)}`]
        )
      }),
      restricted
    )
  )
})

describe("a LimitRange", () => {
  it.live("refuses a container that asks for less than the least", () =>
    inNamespace(
      Effect.gen(function* () {
        yield* limits({ type: "Container", min: { memory: "64Mi" } })
        const small = pod({ resources: { requests: { memory: "1Mi" } } })
        const message =
          'pods "x" is forbidden: minimum memory usage per Container is 64Mi, but request is 1Mi'
        yield* refused(`${core}/pods`, small, message)
      })
    )
  )
})

describe("a ResourceQuota", () => {
  it.live("wants to know what it measures", () =>
    inNamespace(
      Effect.gen(function* () {
        yield* quota(
          { "limits.memory": "1Gi", "requests.cpu": "1" },
          { "limits.memory": "0", "requests.cpu": "0" }
        )
        const message =
          'pods "x" is forbidden: failed quota: q: must specify limits.memory for: app; requests.cpu for: app'
        yield* refused(`${core}/pods`, pod(), message)
      })
    )
  )

  it.live("refuses everything while what it holds is unknown (INV-API-K8)", () =>
    inNamespace(
      Effect.gen(function* () {
        yield* quota({ pods: "1" })
        yield* refused(
          `${core}/pods`,
          pod(),
          'pods "x" is forbidden: status unknown for quota: q, resources: pods'
        )
      })
    )
  )

  it.live("counts objects of any kind, but not for a dry run", () =>
    inNamespace(
      Effect.gen(function* () {
        yield* quota({ "count/jobs.batch": "1" }, { "count/jobs.batch": "0" })
        const job = (name: string) => ({
          apiVersion: "batch/v1",
          kind: "Job",
          metadata: { name },
          spec: { template: { spec: { ...pod().spec, restartPolicy: "Never" } } }
        })
        const jobs = "/apis/batch/v1/namespaces/demo/jobs"
        assert.strictEqual((yield* ask("POST", `${jobs}?dryRun=All`, job("a"))).status, 201)
        assert.strictEqual((yield* ask("POST", jobs, job("b"))).status, 201)
        yield* refused(
          jobs,
          job("c"),
          'jobs.batch "c" is forbidden: exceeded quota: q, requested: count/jobs.batch=1, ' +
            "used: count/jobs.batch=1, limited: count/jobs.batch=1"
        )
        const { body } = yield* ask("GET", `${core}/resourcequotas/q`)
        assert.deepStrictEqual(at(body, "status", "used"), { "count/jobs.batch": "1" })
      })
    )
  )
})
