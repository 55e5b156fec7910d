/** A real API server made ready for the suite, and left as it was found. */
import { randomUUID } from "node:crypto"
import { callsTo, type Call, problemOf, within } from "./ApiCalls.ts"
import * as GatewayKinds from "./GatewayKinds.ts"
import { leftBehind, removeNamespaces } from "./NamespaceRemoval.ts"
import * as PassThrough from "./PassThrough.ts"
import { reasonsAgainst } from "./SafetyCheck.ts"

export interface TestServer {
  readonly url: string
  /** Whether somebody makes pods of Deployments here, and empties deleted namespaces. */
  readonly hasControllers: boolean
  readonly close: () => Promise<void>
}

/** The suite must not run against this server. */
export class Refused extends Error {}

/** A Deployment of no copies is seen by a controller at once, or by nobody. */
const controllersRun = async (call: Call): Promise<boolean> => {
  const namespace = `starform-probe-${randomUUID().slice(0, 8)}`
  const made = await call("POST", "/api/v1/namespaces", {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: namespace }
  })
  if (made.status !== 201) throw problemOf(`make the namespace ${namespace}`, made)
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`
  const labels = { app: "probe" }
  const probe = await call("POST", deployments, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "probe" },
    spec: {
      replicas: 0,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: "probe", image: "starform.invalid/probe" }] }
      }
    }
  })
  if (probe.status !== 201) throw problemOf("make a Deployment", probe)
  return within(3_000, async () => {
    const { body } = await call("GET", `${deployments}/probe`)
    return (body["status"] as { observedGeneration?: number } | undefined)?.observedGeneration !== undefined
  })
}

/** Runs every one, also after a failure; then fails with the first. */
const all = async (steps: ReadonlyArray<() => Promise<void>>): Promise<void> => {
  const failures: Array<unknown> = []
  for (const step of steps) await step().catch((cause: unknown) => failures.push(cause))
  if (failures.length > 0) throw failures[0]
}

/** @throws {Refused} */
export const open = async (kubeconfigFile: string): Promise<TestServer> => {
  let hasControllers = true
  const clean = ({ made, url }: PassThrough.PassThrough) =>
    removeNamespaces(callsTo(url), made, hasControllers)
  const through = await PassThrough.open(kubeconfigFile, clean)
  const call = callsTo(through.url)
  const end: Array<() => Promise<void>> = [() => clean(through), through.close]
  try {
    const reasons = await reasonsAgainst(call)
    if (reasons.length > 0) throw new Refused(reasons.join("\n"))
    const isLeft = await leftBehind(call)
    hasControllers = await controllersRun(call)
    for (const name of isLeft) through.made.add(name)
    await clean(through)
    const removeKinds = await GatewayKinds.provide(call)
    end.splice(1, 0, removeKinds)
  } catch (cause) {
    await all(end)
    throw cause
  }
  return { url: through.url, hasControllers, close: () => all(end) }
}
