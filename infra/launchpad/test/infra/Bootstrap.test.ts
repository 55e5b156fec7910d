/** `bootstrap.sh`, run with a kubectl and a helm that write down how they are called. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach } from "vitest"
import { charts, needsOf } from "./ChartValues.ts"
import { root } from "./Kustomization.ts"

let folder: string

const token = "sft_c_the-token-itself"

/** Answers to the commands whose name fits `failing` with an error, and to the others with success. */
const recorder = (name: string) => `#!/usr/bin/env bash
printf '%s\\n' "${name} $*" >> ${folder}/calls
case "${name} $*" in $FAILING) exit 1 ;; esac
case "$*" in *--dry-run=client*) echo "kind: ${name}" ;; *" -f -") cat > /dev/null ;; esac
`

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "starform-bootstrap-"))
  mkdirSync(join(folder, "bin"))
  for (const name of ["kubectl", "helm"]) {
    writeFileSync(join(folder, "bin", name), recorder(name))
    chmodSync(join(folder, "bin", name), 0o755)
  }
  mkdirSync(join(folder, "platform"))
  for (const file of ["ca.crt", "origin.crt", "origin.key"])
    writeFileSync(join(folder, "platform", file), file)
  writeFileSync(join(folder, "token"), token)
  writeFileSync(join(folder, "calls"), "")
  cpSync(join(root, "overlays/template"), join(folder, "overlay"), { recursive: true })
  writeFileSync(
    join(folder, "overlay/parameters/cluster.env"),
    "CLUSTER_ID=0c4e1b7e-6f3a-4d2b-9a51-8d1f0e7a2b3c\nREGION=fra1\n"
  )
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const run = (failing = "nothing", overlay = "overlay") => {
  const { status, stderr } = spawnSync(
    join(root, "bootstrap.sh"),
    [join(folder, overlay), join(folder, "token"), join(folder, "platform")],
    {
      encoding: "utf8",
      env: { PATH: `${join(folder, "bin")}:/usr/bin:/bin`, FAILING: failing }
    }
  )
  const calls = readFileSync(join(folder, "calls"), "utf8")
    .replaceAll(root, ".")
    .replaceAll(folder, "~")
    .split("\n")
    .filter((line) => line !== "")
  return { status, stderr, calls }
}

/** The step that a call is of, in few words. */
const stepOf = (call: string): string | undefined =>
  /apply .*-k (\S+)/.exec(call)?.[1] ??
  /upgrade --install (\S+)/.exec(call)?.[1] ??
  /create (?:secret \S+|configmap) (\S+) --namespace (\S+)/.exec(call)?.slice(1).join(" in ") ??
  /(wait|rollout status) /.exec(call)?.[1]

describe("bootstrap.sh", () => {
  it("INV-CCL-5 keeps the order: gateway, metrics, collectors, Shuttle", () => {
    const { calls, status } = run()
    assert.strictEqual(status, 0)
    assert.deepStrictEqual(
      calls.map(stepOf).filter((step) => step !== undefined),
      [
        "./base/namespaces",
        "~/overlay/parameters",
        "starform-cluster-token in starform-system",
        "starform-cluster-token in starform-telemetry",
        "starform-cluster-token in starform-nodes",
        "starform-platform-ca in starform-telemetry",
        "starform-platform-ca in starform-nodes",
        "starform-origin-certificate in envoy-gateway-system",
        "envoy-gateway",
        "./base/gateway",
        "wait",
        "metrics-server",
        "kube-state-metrics",
        "./base/collectors",
        "fluent-bit",
        "vmagent",
        "alloy",
        "~/overlay",
        "rollout status"
      ]
    )
  })

  it("installs the chart that each values file names, in its version and namespace", () => {
    const helm = run().calls.filter((call) => call.startsWith("helm "))
    assert.strictEqual(helm.length, charts.length)
    for (const { file, namespace, reference, release, version } of charts) {
      const call = helm.find((one) => one.includes(` ${release} `)) ?? ""
      const [place = "", name] = reference.split(" ")
      const source = name === undefined ? `${release} ${place} ` : `${release} ${name} --repo ${place} `
      assert.include(
        call,
        `helm upgrade --install ${source}--version ${version} --namespace ${namespace} `,
        file
      )
      assert.include(call, `--values ./${file} --atomic`)
    }
  })

  it("has made what each chart needs before that chart", () => {
    const { calls } = run()
    const before = (call: string) => calls.findIndex((one) => one.includes(call))
    for (const chart of charts) {
      const install = before(`--install ${chart.release} `)
      for (const [kind, name] of needsOf(chart)) {
        const made =
          name === "starform-cluster"
            ? before("overlay/parameters")
            : name.startsWith("starform-")
              ? before(`${name} --namespace ${chart.namespace}`)
              : before("-k ./base/collectors")
        assert.isAtLeast(made, 0, `${chart.release}: ${kind} ${name}`)
        assert.isBelow(made, install, `${chart.release}: ${kind} ${name}`)
      }
    }
  })

  it("INV-CCL-6 shows the token to no list of processes", () => {
    assert.isFalse(run().calls.some((call) => call.includes(token)))
  })

  it("stops where a step fails", () => {
    const { calls, status } = run("helm *vmagent*")
    assert.notStrictEqual(status, 0)
    assert.strictEqual(stepOf(calls.at(-1) ?? ""), "vmagent")
  })

  it("starts with nothing missing only", () => {
    rmSync(join(folder, "platform/ca.crt"))
    const { calls, status, stderr } = run()
    assert.strictEqual(status, 2)
    assert.match(stderr, /ca\.crt is missing or empty/)
    assert.isEmpty(calls)
  })

  it("does not take the template for a cluster", () => {
    cpSync(join(root, "overlays/template"), join(folder, "fresh"), { recursive: true })
    const { calls, status, stderr } = run("nothing", "fresh")
    assert.strictEqual(status, 2)
    assert.match(stderr, /still names the template's cluster/)
    assert.isEmpty(calls)
  })
})
