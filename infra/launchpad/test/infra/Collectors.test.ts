/** What the collectors are told: their configuration against the names that Shuttle gives, and vmagent's by running it. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as ServerCertificate from "@starform/launchpad/kubernetes/ServerCertificate"
import { routeName } from "@starform/shuttle/manifests/ObjectNames"
import { appLabels, processLabel } from "@starform/shuttle/manifests/ShuttleLabels"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { cluster, clusterId, type hands, newApp, temporaryFolder } from "../shuttle/AgentHarness.ts"
import { chartOf, charts, environmentOf, needsOf } from "./ChartValues.ts"
import { render, root, template } from "./Kustomization.ts"
import { breaches } from "./PodSecurity.ts"
import { allows, grantsOf } from "./ShuttleAccess.ts"
import {
  clusterEnvironment,
  missing,
  scrapeFile,
  type Series,
  stage,
  type Targets
} from "./VmagentHarness.ts"

if (missing !== undefined) console.log(`skipped: vmagent with our rules: ${missing}`)

const everything = render(template)
const collectors = (file: string): string => readFileSync(join(root, "base/collectors", file), "utf8")
const fluentBit = collectors("fluent-bit/fluent-bit.conf")
const alloy = collectors("alloy/config.alloy")
const scrape = readFileSync(scrapeFile, "utf8")

const app = newApp()
const labels = [...Object.keys(appLabels(app, clusterId)), processLabel]
const hex = (uuid: string): string => uuid.replaceAll("-", "")

const matches = (text: string, pattern: RegExp): ReadonlyArray<string> =>
  [...new Set([...text.matchAll(pattern)].map(([, name = ""]) => name))].sort()

/** Lines without comments of a Fluent Bit or YAML file. */
const settings = (text: string): string =>
  text
    .split("\n")
    .filter((line) => !line.trimStart().startsWith("#"))
    .join("\n")

describe("the charts' values", () => {
  it("name the ConfigMaps of our kustomization, in the release's namespace", () => {
    for (const chart of charts) {
      for (const [kind, name] of needsOf(chart)) {
        // These two are made by bootstrap.sh, which its own test shows.
        if (kind === "Secret" || name === "starform-platform-ca") continue
        assert.isTrue(
          everything.some(
            (object) =>
              object.kind === kind &&
              object.metadata.name === name &&
              object.metadata.namespace === chart.namespace
          ),
          `${chart.release}: ${kind} ${name}`
        )
      }
    }
  })

  it("INV-CCL-1 give the three collectors our rights instead of their charts'", () => {
    const may = (
      release: string,
      verb: string,
      group: string,
      resource: string,
      namespace: string | null
    ) => {
      const { namespace: home, values } = chartOf(release)
      assert.strictEqual(values.rbac?.create, false)
      const grants = grantsOf(everything, values.serviceAccount?.name ?? "", home)
      assert.isNotEmpty(grants)
      return allows(grants, { verb, group, resource, namespace, name: null })
    }
    assert.isTrue(may("vmagent", "watch", "", "nodes", null))
    assert.isTrue(may("vmagent", "get", "", "nodes/metrics", null))
    assert.isTrue(may("vmagent", "watch", "", "pods", "envoy-gateway-system"))
    assert.isTrue(may("alloy", "watch", "", "pods", "starform-system"))
    assert.isTrue(may("fluent-bit", "get", "", "pods", "proj-shop"))
    for (const release of ["vmagent", "alloy", "fluent-bit"]) {
      assert.isFalse(may(release, "list", "", "pods", "proj-shop"), release)
      assert.isFalse(may(release, "get", "", "secrets", "starform-system"), release)
    }
  })

  it("INV-CCL-2 let vmagent into a restricted namespace", () => {
    const { podSecurityContext, securityContext } = chartOf("vmagent").values
    const pod = {
      securityContext: podSecurityContext ?? {},
      containers: [{ name: "vmagent", image: "vmagent", securityContext: securityContext ?? {} }]
    }
    assert.deepStrictEqual(breaches(pod), [])
  })

  it("give each configuration the variables that it reads", () => {
    const read: Readonly<Record<string, ReadonlyArray<string>>> = {
      vmagent: matches(
        settings(scrape) + JSON.stringify(chartOf("vmagent").values),
        /(?:%\{|\$\()([A-Z_]+)[})]/g
      ),
      "fluent-bit": matches(settings(fluentBit), /\$\{([A-Z_]+)\}/g),
      alloy: matches(alloy, /sys\.env\("([A-Z_]+)"\)/g)
    }
    for (const [release, names] of Object.entries(read)) {
      assert.deepStrictEqual(names, [...environmentOf(chartOf(release))].sort(), release)
    }
  })
})

describe("labels", () => {
  it("that Shuttle gives are those that kube-state-metrics tells", () => {
    const [allowed = ""] = chartOf("kube-state-metrics").values.metricLabelsAllowlist ?? []
    const [, names = ""] = /^pods=\[(.+)\]$/.exec(allowed) ?? []
    const ours = labels.filter(
      (label) => label.startsWith("starform.io/") && label !== "starform.io/cluster-id"
    )
    assert.sameMembers(names.split(","), ours)
  })

  it("that Shuttle gives are those that Fluent Bit attributes output by", () => {
    const read = matches(settings(fluentBit), /(starform\.io\/[a-z-]+)/g)
    assert.includeMembers(labels, [...read])
    const sent = matches(settings(fluentBit), /Allowlist_key\s+(\S+)/g)
    assert.includeMembers(
      [...sent],
      ["project_id", "environment", "service_id", "message"],
      "columns of customer_logs"
    )
    const renamed = matches(settings(fluentBit), /Hard_rename\s+\S+\s+(\S+)/g)
    assert.deepStrictEqual(
      renamed.filter((name) => !sent.includes(name)),
      []
    )
  })

  it("with a tenant's ids are dropped from what the platform says of itself", () => {
    assert.include(alloy, `"shuttle|node-exporter|kube-state-metrics|envoy-self"`)
    const [, dropped = ""] = /regex {2}= "(.+)"\n\s+action = "labeldrop"/.exec(alloy) ?? []
    for (const name of ["project_id", "service_id", "workspace_id"]) {
      assert.match(name, new RegExp(`^(?:${dropped})$`))
      assert.match(`label_starform_io_${name}`, new RegExp(`^(?:${dropped})$`))
    }
  })
})

const route = routeName(app)

const exposed = {
  "/stats/prometheus": `
envoy_cluster_upstream_rq_total{envoy_cluster_name="${route}"} 5
envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="${route}"} 1
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="${route}",le="50"} 4
envoy_cluster_upstream_cx_tx_bytes_total{envoy_cluster_name="${route}"} 4096
envoy_cluster_upstream_cx_active{envoy_cluster_name="${route}"} 1
envoy_cluster_upstream_rq_total{envoy_cluster_name="xds_cluster"} 9
envoy_server_live 1
`,
  "/metrics/cadvisor": `
container_cpu_usage_seconds_total{namespace="proj-shop",pod="web-1",container="app",id="/a",image="i",name="n",cpu="total"} 3
container_cpu_usage_seconds_total{namespace="proj-shop",pod="web-1",container="",id="/b",image="",name="",cpu="total"} 3
container_memory_working_set_bytes{namespace="proj-shop",pod="web-1",container="app",id="/a"} 1024
container_memory_working_set_bytes{namespace="kube-system",pod="dns-1",container="dns",id="/c"} 1024
container_network_receive_bytes_total{namespace="proj-shop",pod="web-1",id="/b",interface="eth0"} 7
container_fs_reads_total{namespace="proj-shop",pod="web-1",container="app"} 1
`,
  "/metrics": `
kube_pod_labels{namespace="proj-shop",pod="web-1",uid="u",label_starform_io_managed_by="shuttle",label_starform_io_project_id="${hex(app.projectId)}"} 1
kube_pod_labels{namespace="kube-system",pod="dns-1",uid="v"} 1
kube_pod_info{namespace="proj-shop",pod="web-1",uid="u"} 1
`
}

/** What vmagent says of each target. */
const ownMetrics = /^(up|scrape_.+)$/

const customers = (series: ReadonlyArray<Series>) =>
  series.filter(({ __name__ = "" }) => !ownMetrics.test(__name__))

const text = ({ cluster_id, region, ...series }: Series): string => {
  assert.deepStrictEqual(
    { CLUSTER_ID: cluster_id, REGION: region },
    { CLUSTER_ID: clusterEnvironment.CLUSTER_ID, REGION: clusterEnvironment.REGION }
  )
  const { __name__, ...rest } = series
  const pairs = Object.entries(rest).sort(([a], [b]) => a.localeCompare(b))
  return `${__name__}{${pairs.map(([key, value]) => `${key}=${value}`).join(",")}}`
}

const tenant = "instance=envoy-1,job=envoy"
const ids = `project_id=${hex(app.projectId)},service_id=${hex(app.serviceId)}`
const pod = "instance=node-1,job=cadvisor,namespace=proj-shop,pod=web-1"

const expected = [
  `container_cpu_usage_seconds_total{container=app,${pod}}`,
  `container_memory_working_set_bytes{container=app,${pod}}`,
  `container_network_receive_bytes_total{instance=node-1,interface=eth0,job=cadvisor,namespace=proj-shop,pod=web-1}`,
  `envoy_cluster_upstream_cx_tx_bytes_total{environment=production,${tenant},${ids}}`,
  `envoy_cluster_upstream_rq_time_bucket{environment=production,${tenant},le=50,${ids}}`,
  `envoy_cluster_upstream_rq_total{environment=production,${tenant},${ids}}`,
  `envoy_cluster_upstream_rq_xx{environment=production,envoy_response_code_class=5,${tenant},${ids}}`,
  `kube_pod_labels{job=kube-state-metrics,label_starform_io_managed_by=shuttle,label_starform_io_project_id=${hex(app.projectId)},namespace=proj-shop,pod=web-1}`
]

const podAt = (
  namespace: string,
  name: string,
  podLabels: Readonly<Record<string, string>>,
  ports: Readonly<Record<string, number>>
) => ({
  path: `/api/v1/namespaces/${namespace}/pods`,
  object: {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels: podLabels },
    spec: {
      containers: [
        {
          name: "one",
          image: "one",
          ports: Object.entries(ports).map(([portName, containerPort]) => ({ name: portName, containerPort }))
        }
      ]
    },
    status: { phase: "Running", podIP: "127.0.0.1", podIPs: [{ ip: "127.0.0.1" }] }
  }
})

/** Labels and names of ports as Envoy Gateway and the chart of kube-state-metrics give them. */
const objects = ({ exporters, kubelet }: Targets) => [
  podAt(
    "envoy-gateway-system",
    "envoy-1",
    {
      "app.kubernetes.io/component": "proxy",
      "app.kubernetes.io/name": "envoy",
      "gateway.envoyproxy.io/owning-gateway-name": "starform"
    },
    { "https-443": 10_443, metrics: exporters, readiness: 19_003 }
  ),
  podAt("envoy-gateway-system", "controller", { "control-plane": "envoy-gateway" }, { metrics: exporters }),
  podAt(
    "starform-telemetry",
    "kube-state-metrics-1",
    { "app.kubernetes.io/name": "kube-state-metrics" },
    { http: exporters }
  ),
  podAt("proj-shop", "web-1", { "app.kubernetes.io/name": "kube-state-metrics" }, { http: exporters }),
  {
    path: "/api/v1/nodes",
    object: {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "node-1" },
      status: {
        addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
        daemonEndpoints: { kubeletEndpoint: { Port: kubelet } }
      }
    }
  }
]

/** Made as by a person; the status as by whoever runs it. */
const put = Effect.fnUntraced(function* (
  person: ReturnType<typeof hands>,
  { object, path }: ReturnType<typeof objects>[number]
) {
  const { status, ...rest } = object
  const made = yield* person.call("POST", path, rest)
  assert.strictEqual(made.status, 201, JSON.stringify(made.body))
  const { name } = object.metadata
  const merge = "application/merge-patch+json"
  const written = yield* person.call("PATCH", `${path}/${name}/status`, { status }, merge)
  assert.strictEqual(written.status, 200, JSON.stringify(written.body))
})

describe.skipIf(missing !== undefined)("vmagent", () => {
  it("takes its configuration, read strictly", () => {
    const checked = spawnSync(
      "vmagent",
      [
        "-dryRun",
        "-promscrape.config.strictParse",
        `-promscrape.config=${scrapeFile}`,
        "-remoteWrite.url=http://127.0.0.1:9/"
      ],
      { encoding: "utf8", env: clusterEnvironment }
    )
    assert.strictEqual(checked.status, 0, checked.stderr)
  })

  it.live(
    "finds its targets by its own rights, and sends the seven metrics with their tenant and nothing else",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const folder = yield* temporaryFolder
          const certificate = yield* ServerCertificate.make(Date.now())
          const { collect, targets } = yield* Effect.acquireRelease(
            Effect.promise(() => stage(folder, exposed, certificate)),
            ({ close }) => Effect.promise(close)
          )
          const { person, proxy } = yield* cluster
          proxy.allow(grantsOf(everything, "vmagent", "starform-telemetry"))
          for (const namespace of ["envoy-gateway-system", "starform-telemetry", "proj-shop"]) {
            const object = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }
            yield* person.call("POST", "/api/v1/namespaces", object)
          }
          yield* Effect.forEach(objects(targets), (one) => put(person, one), { discard: true })
          const isEnough = (seen: ReadonlyArray<Series>) =>
            new Set(customers(seen).map(({ job }) => job)).size === 3 &&
            customers(seen).length >= expected.length
          const { series, writes } = yield* Effect.promise(() => collect(proxy.url, isEnough))
          assert.deepStrictEqual(customers(series).map(text).sort(), [...expected].sort())
          assert.deepStrictEqual(proxy.refused, [])
          assert.isNotEmpty(writes)
          for (const { authorization, url } of writes) {
            assert.strictEqual(authorization, "Bearer cluster-token")
            assert.strictEqual(url, "/insert/0/prometheus/api/v1/write")
          }
        })
      ).pipe(Effect.provide(NodeServices.layer))
  )
})
