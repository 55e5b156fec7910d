/** The run around the tests, against the local cluster's API server over TLS in a process of its own. */
import { assert, describe, it } from "@effect/vitest"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach } from "vitest"
import * as Program from "../../../../bench/program.ts"
import * as ApiWorld from "../../../../packages/starbase/test/harness/ApiWorld.ts"
import { callsTo } from "./ApiCalls.ts"
import { runWith } from "./Run.ts"
import { ownIds } from "./SafetyCheck.ts"
import * as TestServer from "./TestServer.ts"

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
    program = await Program.start(apiServer, [KUBECONFIG])
  })
  afterEach(async () => {
    await program.stop()
    rmSync(folder, { recursive: true })
  })

  const inside = (look: (url: string) => Promise<number>) =>
    runWith({ KUBECONFIG }, ({ STARFORM_KUBERNETES_URL = "" }) => look(STARFORM_KUBERNETES_URL))

  const namesIn = async (url: string): Promise<ReadonlyArray<string>> => {
    const { body } = await callsTo(url)("GET", "/api/v1/namespaces")
    return (body["items"] as ReadonlyArray<{ readonly metadata: { readonly name: string } }>).map(
      ({ metadata }) => metadata.name
    )
  }

  it("ends with the tests' status, and removes what they and an earlier run made, and nothing else", async () => {
    const first = await TestServer.open(KUBECONFIG)
    const kept = callsTo(first.url)
    await kept("POST", "/api/v1/namespaces?dryRun=All", namespace("only-told"))
    await first.close()

    const outcome = await inside(async (url) => {
      const call = callsTo(url)
      await call("POST", "/api/v1/namespaces", namespace("made"))
      await call("POST", "/api/v1/namespaces/made/configmaps", {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "held" }
      })
      assert.include(await namesIn(url), "made")
      return 7
    })
    assert.deepStrictEqual(outcome, { status: 7 })
    await inside(async (url) => {
      assert.notInclude(await namesIn(url), "made")
      return 0
    })
  })
})

it("knows the ids of both clusters that tests have", () => {
  assert.include(ownIds, ApiWorld.clusterId.replaceAll("-", ""))
})
