import { assert, describe, it } from "@effect/vitest"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { choose } from "./ServerChoice.ts"

describe("the choice of an API server", () => {
  let folder = ""
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "starform-choice-"))))
  afterAll(() => rmSync(folder, { recursive: true }))

  it("is none without either variable, with the reason", () => {
    const choice = choose({ KUBECONFIG: "" })
    assert(choice._tag === "None")
    assert.match(choice.reason, /KUBEBUILDER_ASSETS.*KUBECONFIG/)
  })

  it("is one kubeconfig that is there", () => {
    const file = join(folder, "kubeconfig")
    const problemOf = (KUBECONFIG: string) => {
      const choice = choose({ KUBECONFIG })
      return choice._tag === "Unusable" ? choice.problem : ""
    }
    assert.match(problemOf(file), /not there/)
    assert.match(problemOf(`${file}:${file}`), /several files/)
    writeFileSync(file, "")
    assert.deepStrictEqual(choose({ KUBECONFIG: file }), { _tag: "Kubeconfig", file })
  })

  it("is the programs rather than somebody's cluster, and with a controller-manager where there is one", () => {
    const environment = { KUBECONFIG: join(folder, "kubeconfig"), KUBEBUILDER_ASSETS: folder }
    writeFileSync(join(folder, "etcd"), "")
    const half = choose(environment)
    assert.match(half._tag === "Unusable" ? half.problem : "", /kube-apiserver is not there/)
    writeFileSync(join(folder, "kube-apiserver"), "")
    const programs = () => {
      const choice = choose(environment)
      return choice._tag === "Programs" ? choice.programs : null
    }
    assert.deepStrictEqual(programs(), {
      etcd: join(folder, "etcd"),
      apiServer: join(folder, "kube-apiserver"),
      controllerManager: null
    })
    writeFileSync(join(folder, "kube-controller-manager"), "")
    assert.strictEqual(programs()?.controllerManager, join(folder, "kube-controller-manager"))
  })
})
