/** What the collectors are told: their configuration against the names that Shuttle gives, and vmagent's by running it. */
import { assert, describe, it } from "@effect/vitest"
import { routeName } from "@starform/shuttle/manifests/ObjectNames"
import { appLabels, processLabel } from "@starform/shuttle/manifests/ShuttleLabels"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { clusterId, newApp } from "../shuttle/AgentHarness.ts"
import { chartOf, charts, environmentOf, needsOf } from "./ChartValues.ts"
import { render, root, template } from "./Kustomization.ts"
import { breaches } from "./PodSecurity.ts"
import { allows, grantsOf } from "./ShuttleAccess.ts"
import { clusterEnvironment, collect, missing, scrapeFile, type Series } from "./VmagentHarness.ts"

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

const text = ({ cluster_id, region, ...series }: Series): string => {
  assert.deepStrictEqual(
    { cluster_id, region },
    {
      cluster_id: clusterEnvironment.CLUSTER_ID,
      region: clusterEnvironment.REGION
    }
  )
  const { __name__, instance: _, ...rest } = series
  const pairs = Object.entries(rest).sort(([a], [b]) => a.localeCompare(b))
  return `${__name__}{${pairs.map(([key, value]) => `${key}=${value}`).join(",")}}`
}

const tenant = `environment=production,job=envoy`
const ids = `project_id=${hex(app.projectId)},service_id=${hex(app.serviceId)}`

const expected = [
  `container_cpu_usage_seconds_total{container=app,job=cadvisor,namespace=proj-shop,pod=web-1}`,
  `container_memory_working_set_bytes{container=app,job=cadvisor,namespace=proj-shop,pod=web-1}`,
  `container_network_receive_bytes_total{interface=eth0,job=cadvisor,namespace=proj-shop,pod=web-1}`,
  `envoy_cluster_upstream_cx_tx_bytes_total{${tenant},${ids}}`,
  `envoy_cluster_upstream_rq_time_bucket{${tenant},le=50,${ids}}`,
  `envoy_cluster_upstream_rq_total{${tenant},${ids}}`,
  `envoy_cluster_upstream_rq_xx{environment=production,envoy_response_code_class=5,job=envoy,${ids}}`,
  `kube_pod_labels{job=kube-state-metrics,label_starform_io_managed_by=shuttle,label_starform_io_project_id=${hex(app.projectId)},namespace=proj-shop,pod=web-1}`
]

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

  it("sends the seven metrics with their tenant, the cluster's token, and nothing else", async () => {
    const folder = mkdtempSync(join(tmpdir(), "starform-vmagent-"))
    try {
      const customers = (series: ReadonlyArray<Series>) =>
        series.filter(({ __name__ = "" }) => !ownMetrics.test(__name__))
      const { series, writes } = await collect(
        folder,
        exposed,
        (seen) =>
          new Set(customers(seen).map(({ job }) => job)).size === 3 &&
          customers(seen).length >= expected.length
      )
      assert.deepStrictEqual(customers(series).map(text).sort(), [...expected].sort())
      const [joined] = customers(series).filter(({ __name__ }) => __name__ === "kube_pod_labels")
      assert.notProperty(joined, "instance")
      for (const { authorization, url } of writes) {
        assert.strictEqual(authorization, "Bearer cluster-token")
        assert.strictEqual(url, "/insert/0/prometheus/api/v1/write")
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
