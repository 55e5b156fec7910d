/** Removes the namespaces that a run made, and nothing else. */
import { type Call, problemOf, within } from "./ApiCalls.ts"
import { ownSelectors } from "./SafetyCheck.ts"

/** Deleting namespaces of a loaded cluster takes its controllers a while. */
const goneMilliseconds = 60_000

interface ResourceList {
  readonly groupVersion: string
  readonly resources: ReadonlyArray<{
    readonly name: string
    readonly namespaced: boolean
    readonly verbs: ReadonlyArray<string>
  }>
}

interface GroupList {
  readonly groups: ReadonlyArray<{ readonly preferredVersion: { readonly groupVersion: string } }>
}

/** Does what the namespace controller would do; for a server that has none. */
const empty = async (call: Call, namespace: string): Promise<void> => {
  const groups = (await call("GET", "/apis")).body as unknown as GroupList
  const roots = [
    "/api/v1",
    ...groups.groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)
  ]
  for (const root of roots) {
    const { resources = [] } = (await call("GET", root)).body as unknown as Partial<ResourceList>
    for (const { name, namespaced, verbs } of resources) {
      if (!namespaced || !verbs.includes("deletecollection")) continue
      await call("DELETE", `${root}/namespaces/${namespace}/${name}`)
    }
  }
  const answer = await call("GET", `/api/v1/namespaces/${namespace}`)
  if (answer.status !== 200) return
  const path = `/api/v1/namespaces/${namespace}/finalize`
  const finalized = await call("PUT", path, { ...answer.body, spec: { finalizers: [] } })
  if (![200, 404, 409].includes(finalized.status)) throw problemOf(`finalize ${namespace}`, finalized)
}

/** @param hasControllers whether somebody empties a namespace that is deleted */
export const removeNamespaces = async (
  call: Call,
  made: Set<string>,
  hasControllers: boolean
): Promise<void> => {
  const names = [...made]
  for (const name of names) {
    const answer = await call("DELETE", `/api/v1/namespaces/${name}`)
    if (answer.status >= 400 && answer.status !== 404 && answer.status !== 409) {
      throw problemOf(`delete the namespace ${name}`, answer)
    }
    // Pods of the tests do nothing that could be ended in order, and no image of theirs exists.
    await call("DELETE", `/api/v1/namespaces/${name}/pods?gracePeriodSeconds=0`)
  }
  const left: Array<string> = []
  const deadline = Date.now() + goneMilliseconds
  for (const name of names) {
    const isGone = async () => {
      if ((await call("GET", `/api/v1/namespaces/${name}`)).status === 404) return true
      if (!hasControllers) await empty(call, name)
      return false
    }
    if (await within(deadline - Date.now(), isGone)) made.delete(name)
    else left.push(name)
  }
  if (left.length > 0) throw new Error(`still there after being deleted: the namespaces ${left.join(", ")}`)
}

/** Namespaces with a label of the tests' own clusters: a run that was killed left them. */
export const leftBehind = async (call: Call): Promise<ReadonlyArray<string>> => {
  const names: Array<string> = []
  for (const selector of ownSelectors) {
    const path = `/api/v1/namespaces?labelSelector=${encodeURIComponent(selector)}`
    const answer = await call("GET", path)
    if (answer.status !== 200) throw problemOf("look for what an earlier run left", answer)
    const items = answer.body["items"] as ReadonlyArray<{ readonly metadata: { readonly name: string } }>
    names.push(...items.map(({ metadata }) => metadata.name))
  }
  return names
}
