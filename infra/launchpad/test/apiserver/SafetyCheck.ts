/** What must not be on a cluster that the suite runs against: anything of a Shuttle that works for somebody. */
import { collectionPath, writtenKinds } from "@starform/shuttle/kubernetes/ResourceKind"
import { clusterLabel, compactUuid, managedSelector } from "@starform/shuttle/manifests/ShuttleLabels"
import { render, template } from "../infra/Kustomization.ts"
import { clusterId } from "../shuttle/AgentHarness.ts"
import { type Call, problemOf } from "./ApiCalls.ts"

/** Of the scripted Starbase, and of the real one in `ApiWorld`; no cluster that serves anybody has one of them. */
export const ownIds = [clusterId, "0198c0de-0000-7000-8000-000000000001"].map(compactUuid)

export const ownSelectors: ReadonlyArray<string> = ownIds.map(
  (id) => `${managedSelector},${clusterLabel}=${id}`
)

const foreignSelector = `${managedSelector},${clusterLabel} notin (${ownIds.join(",")})`

/** The namespaces of infra/kubernetes: tests make some of them, and a cluster that has one is a customer's. */
const reservedNamespaces: ReadonlyArray<string> = render(template)
  .filter(({ kind }) => kind === "Namespace")
  .map(({ metadata }) => metadata.name)

interface Listed {
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

/** Why the suite must not run here; empty when it may. Whatever cannot be looked at is a reason too. */
export const reasonsAgainst = async (call: Call): Promise<ReadonlyArray<string>> => {
  const reasons: Array<string> = []
  for (const kind of writtenKinds) {
    const path = `${collectionPath(kind)}?limit=1&labelSelector=${encodeURIComponent(foreignSelector)}`
    const answer = await call("GET", path)
    if (answer.status === 404) continue
    if (answer.status !== 200) throw problemOf(`look for another Shuttle's ${kind} objects`, answer)
    const [found] = answer.body["items"] as ReadonlyArray<Listed>
    if (found === undefined) continue
    const { name, namespace } = found.metadata
    reasons.push(
      `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name} belongs to another Shuttle`
    )
  }
  for (const name of reservedNamespaces) {
    const answer = await call("GET", `/api/v1/namespaces/${name}`)
    if (answer.status === 200) reasons.push(`the namespace ${name} is there: Starform is installed`)
    else if (answer.status !== 404) throw problemOf(`look for the namespace ${name}`, answer)
  }
  return reasons
}
