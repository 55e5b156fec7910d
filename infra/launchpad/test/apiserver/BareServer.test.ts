/**
 * What a run does where the server has neither the Gateway API nor controllers. The local cluster has both, so a script of the
 * test's own answers here as far as that goes; it is no API server.
 */
import { assert, describe, it } from "@effect/vitest"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach } from "vitest"
import { callsTo } from "./ApiCalls.ts"
import * as GatewayKinds from "./GatewayKinds.ts"
import { removeNamespaces } from "./NamespaceRemoval.ts"

interface Definition {
  readonly metadata: { readonly name: string; readonly annotations: Readonly<Record<string, string>> }
}

describe("a server of the bare kinds", () => {
  const definitions = new Map<string, Definition>()
  const namespaces = new Map<string, { deleted: boolean; holds: Set<string> }>()
  const lines: Array<string> = []
  const group = "gateway.networking.k8s.io"
  const definitionsPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

  const answerTo = (method: string, path: string, body: string): readonly [number, unknown] => {
    const last = path.split("/").at(-1) ?? ""
    if (path === definitionsPath && method === "POST") {
      const definition = JSON.parse(body) as Definition
      definitions.set(definition.metadata.name, definition)
      return [201, definition]
    }
    if (path.startsWith(definitionsPath)) {
      const known = method === "DELETE" ? definitions.delete(last) : definitions.has(last)
      return known ? [200, {}] : [404, {}]
    }
    if (path.startsWith(`/apis/${group}/v1/`))
      return definitions.has(`${last}.${group}`) ? [200, {}] : [404, {}]
    if (path === "/apis") return [200, { groups: [] }]
    if (path === "/api/v1") {
      const verbs = ["deletecollection"]
      return [
        200,
        {
          resources: [
            { name: "secrets", namespaced: true, verbs },
            { name: "services", namespaced: true, verbs },
            { name: "nodes", namespaced: false, verbs },
            { name: "bindings", namespaced: true, verbs: ["create"] }
          ]
        }
      ]
    }
    const [, name = "", part] = /^\/api\/v1\/namespaces\/([^/]+)\/?(.*)$/.exec(path) ?? []
    const namespace = namespaces.get(name)
    if (namespace === undefined) return [404, {}]
    if (part === "finalize") {
      const { spec } = JSON.parse(body) as { readonly spec: { readonly finalizers: ReadonlyArray<string> } }
      if (namespace.deleted && namespace.holds.size === 0 && spec.finalizers.length === 0)
        namespaces.delete(name)
    } else if (part !== "") namespace.holds.delete(part ?? "")
    else if (method === "DELETE") namespace.deleted = true
    return [200, { metadata: { name }, spec: { finalizers: ["kubernetes"] } }]
  }

  const server = createServer((request, response) => {
    let body = ""
    request.on("data", (chunk: Buffer) => (body += chunk.toString("utf8")))
    request.on("end", () => {
      const { method = "", url = "" } = request
      if (method !== "GET") lines.push(`${method} ${url}`)
      const [status, answer] = answerTo(method, url.split("?")[0] ?? "", body)
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer))
    })
  })
  const call = (...asked: Parameters<ReturnType<typeof callsTo>>) =>
    callsTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)(...asked)

  beforeEach(async () => {
    definitions.clear()
    lines.length = 0
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  })
  afterEach(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  it("gets the kinds that it lacks, and loses just those", async () => {
    const theirs = `gateways.${group}`
    definitions.set(theirs, { metadata: { name: theirs, annotations: {} } })
    const remove = await GatewayKinds.provide(call)
    assert.deepStrictEqual([...definitions.keys()], [theirs, `httproutes.${group}`])
    const made = definitions.get(`httproutes.${group}`)
    assert.match(made?.metadata.annotations["api-approved.kubernetes.io"] ?? "", /^unapproved/)
    await remove()
    assert.deepStrictEqual([...definitions.keys()], [theirs])
    assert.deepStrictEqual(lines, [
      `POST ${definitionsPath}`,
      `DELETE ${definitionsPath}/httproutes.${group}`
    ])
  })

  it("has a namespace emptied and finalized by the run, and no other one touched", async () => {
    for (const name of ["made", "theirs"]) {
      namespaces.set(name, { deleted: false, holds: new Set(["secrets", "services"]) })
    }
    const made = new Set(["made"])
    await removeNamespaces(call, made, false)
    assert.deepStrictEqual([...namespaces.keys()], ["theirs"])
    assert.strictEqual(made.size, 0)
    assert.isTrue(lines.every((line) => line.includes("/namespaces/made")))
  })
})
