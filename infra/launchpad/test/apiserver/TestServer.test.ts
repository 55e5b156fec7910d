/** The run around the tests, against the local cluster's API server over TLS in a process of its own. */
import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach } from "vitest"
import * as Program from "../../../../bench/program.ts"
import * as ApiWorld from "../../../../packages/starbase/test/harness/ApiWorld.ts"
import { callsTo } from "./ApiCalls.ts"
import * as PassThrough from "./PassThrough.ts"
import { runWith } from "./Run.ts"
import { ownIds } from "./SafetyCheck.ts"

const apiServer = fileURLToPath(new URL("../../bench/KubernetesApi.process.ts", import.meta.url))

const namespace = (name: string, clusterId?: string) => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: {
    name,
    labels:
      clusterId === undefined
        ? {}
        : { "starform.io/managed-by": "shuttle", "starform.io/cluster-id": clusterId }
  }
})

describe("a run against a kubeconfig", () => {
  let folder = ""
  let program: Program.Program
  let KUBECONFIG = ""
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "starform-kubeconfig-"))
    KUBECONFIG = join(folder, "kubeconfig")
    program = await Program.start(apiServer, [KUBECONFIG, "controllers"])
  })
  afterEach(async () => {
    await program.stop()
    rmSync(folder, { recursive: true })
  })

  /** Beside the run, as its owner sees the cluster. */
  const direct = {
    names: () => withPassThrough(namesIn),
    make: (body: unknown) =>
      withPassThrough(async (url) => void (await callsTo(url)("POST", "/api/v1/namespaces", body)))
  }

  const withPassThrough = async <A>(use: (url: string) => Promise<A>): Promise<A> => {
    const through = await PassThrough.open(KUBECONFIG, async () => {})
    return use(through.url).finally(through.close)
  }

  const inside = (look: (url: string) => Promise<number>) =>
    runWith({ KUBECONFIG }, ({ STARFORM_KUBERNETES_URL = "" }) => look(STARFORM_KUBERNETES_URL))

  const namesIn = async (url: string): Promise<ReadonlyArray<string>> => {
    const { body } = await callsTo(url)("GET", "/api/v1/namespaces")
    return (body["items"] as ReadonlyArray<{ readonly metadata: { readonly name: string } }>).map(
      ({ metadata }) => metadata.name
    )
  }

  it("ends with the tests' status, and removes what they made, and nothing else", async () => {
    const outcome = await inside(async (url) => {
      const call = callsTo(url)
      await call("POST", "/api/v1/namespaces?dryRun=All", namespace("only-told"))
      await call("POST", "/api/v1/namespaces", namespace("made"))
      await call("POST", "/api/v1/namespaces", namespace("launchpad-gateway"))
      assert.includeMembers([...(await namesIn(url))], ["made", "launchpad-gateway"])
      return 7
    })
    assert.deepStrictEqual(outcome, { status: 7 })
    const failed = await inside(async (url) => {
      assert.deepStrictEqual(await namesIn(url), ["launchpad-gateway"])
      await callsTo(url)("POST", "/api/v1/namespaces", namespace("made"))
      throw new Error("the tests cannot be run")
    })
    assert.match("problem" in failed ? failed.problem : "", /cannot be run/)
    assert.deepStrictEqual(await direct.names(), ["launchpad-gateway"])
  })

  it("removes what a run that was killed left", async () => {
    await direct.make(namespace("left", ownIds[0]))
    await inside(async (url) => {
      assert.deepStrictEqual(await namesIn(url), ["launchpad-gateway"])
      return 0
    })
  })

  it("is refused where another cluster's Shuttle works, or Starform is installed, and changes nothing", async () => {
    await direct.make(namespace("proj-shop", "0".repeat(32)))
    await direct.make(namespace("starform-system"))
    const outcome = await inside(() => assert.fail("the tests were run"))
    const problem = "problem" in outcome ? outcome.problem : ""
    assert.match(problem, /Namespace proj-shop belongs to another Shuttle/)
    assert.match(problem, /starform-system is there/)
    assert.sameMembers([...(await direct.names())], ["launchpad-gateway", "proj-shop", "starform-system"])
  })

  it("carries the tests of a file, as npm run test:kubernetes does", async () => {
    const outcome = await runWith({ KUBECONFIG }, (environment) => {
      const outer = Object.entries(process.env).filter(([name]) => !/^(VITEST|TEST|STARFORM_)/.test(name))
      const run = spawn("vitest", ["run", "--project", "kubernetes", "DryRun", "Objects"], {
        cwd: fileURLToPath(new URL("../../../..", import.meta.url)),
        env: { ...Object.fromEntries(outer), ...environment },
        stdio: ["ignore", "ignore", "inherit"]
      })
      return new Promise((resolve) => run.once("exit", (code) => resolve(code ?? 1)))
    })
    assert.deepStrictEqual(outcome, { status: 0 })
    assert.deepStrictEqual(await direct.names(), ["launchpad-gateway"])
  }, 120_000)
})

it("knows the ids of both clusters that tests have", () => {
  assert.include(ownIds, ApiWorld.clusterId.replaceAll("-", ""))
})
