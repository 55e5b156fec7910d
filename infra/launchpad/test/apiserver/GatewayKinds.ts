/**
 * The kinds of the Gateway API that Shuttle writes, for a server without them: any fields, as much as the tests need. Where the
 * real definitions are installed, those are used and stay.
 */
import { type Call, problemOf, within } from "./ApiCalls.ts"

const group = "gateway.networking.k8s.io"
const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

const kinds = [
  { kind: "HTTPRoute", plural: "httproutes" },
  { kind: "Gateway", plural: "gateways" }
] as const

const definitionOf = ({ kind, plural }: (typeof kinds)[number]) => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: {
    name: `${plural}.${group}`,
    annotations: { "api-approved.kubernetes.io": "unapproved, of a test run that removes it" }
  },
  spec: {
    group,
    scope: "Namespaced",
    names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } }
      }
    ]
  }
})

const isServed = async (call: Call, plural: string): Promise<boolean> =>
  (await call("GET", `/apis/${group}/v1/${plural}?limit=1`)).status === 200

/** Makes what is absent; returns how to remove just that. */
export const provide = async (call: Call): Promise<() => Promise<void>> => {
  const made: Array<string> = []
  const remove = async () => {
    for (const name of made) {
      const answer = await call("DELETE", `${definitions}/${name}`)
      if (answer.status >= 400 && answer.status !== 404) throw problemOf(`delete ${name}`, answer)
      const isGone = async () => (await call("GET", `${definitions}/${name}`)).status === 404
      if (!(await within(30_000, isGone))) throw new Error(`${name} is still there after being deleted`)
    }
  }
  try {
    for (const one of kinds) {
      if (await isServed(call, one.plural)) continue
      const definition = definitionOf(one)
      const answer = await call("POST", definitions, definition)
      if (answer.status !== 201) throw problemOf(`define ${one.kind}`, answer)
      made.push(definition.metadata.name)
      if (!(await within(30_000, () => isServed(call, one.plural)))) {
        throw new Error(`${one.kind} was defined and is not served`)
      }
    }
  } catch (cause) {
    await remove()
    throw cause
  }
  return remove
}
