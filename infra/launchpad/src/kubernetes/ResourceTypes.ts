/** The kinds that the local cluster serves. Adding one is one value in `kinds/`, listed here, and its structure in `schema/`. */
import { configMap, secret, serviceAccount } from "./kinds/ConfigurationKinds.ts"
import { event } from "./kinds/EventKind.ts"
import { gateway, gatewayClass, httpRoute } from "./kinds/GatewayKinds.ts"
import { namespace } from "./kinds/NamespaceKind.ts"
import { endpointSlice, lease, node } from "./kinds/NodeKinds.ts"
import { pod } from "./kinds/PodKind.ts"
import type { ResourceType } from "./kinds/ResourceType.ts"
import { service } from "./kinds/ServiceKind.ts"
import { deployment, replicaSet } from "./kinds/WorkloadKinds.ts"

/** In the order of discovery. */
export const all: ReadonlyArray<ResourceType> = [
  configMap,
  event,
  namespace,
  node,
  pod,
  secret,
  serviceAccount,
  service,
  deployment,
  replicaSet,
  lease,
  endpointSlice,
  gatewayClass,
  gateway,
  httpRoute
]

const byResource = new Map(all.map((type) => [type.resource, type]))

export const find = (resource: string): ResourceType | undefined => byResource.get(resource)

/** Groups with their kinds, the core group first. */
export const groups = (): ReadonlyArray<readonly [group: string, types: ReadonlyArray<ResourceType>]> => {
  const names = [...new Set(all.map(({ group }) => group))]
  return names.map((name) => [name, all.filter(({ group }) => group === name)] as const)
}
