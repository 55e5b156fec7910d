/** The kinds that the local cluster serves. Adding one is one value in `kinds/`, listed here, and its structure in `schema/`. */
import { clusterRole, clusterRoleBinding, role, roleBinding } from "./kinds/AccessKinds.ts"
import { horizontalPodAutoscaler } from "./kinds/AutoscalerKind.ts"
import { configMap, secret, serviceAccount } from "./kinds/ConfigurationKinds.ts"
import { cronJob } from "./kinds/CronJobKind.ts"
import { podDisruptionBudget } from "./kinds/DisruptionBudgetKind.ts"
import { event } from "./kinds/EventKind.ts"
import { gateway, gatewayClass, httpRoute } from "./kinds/GatewayKinds.ts"
import { job } from "./kinds/JobKind.ts"
import { limitRange } from "./kinds/LimitRangeKind.ts"
import { namespace } from "./kinds/NamespaceKind.ts"
import { networkPolicy } from "./kinds/NetworkPolicyKind.ts"
import { endpointSlice, lease, node } from "./kinds/NodeKinds.ts"
import { pod } from "./kinds/PodKind.ts"
import type { ResourceType } from "./kinds/ResourceType.ts"
import { resourceQuota } from "./kinds/ResourceQuotaKind.ts"
import { service } from "./kinds/ServiceKind.ts"
import { deployment, replicaSet } from "./kinds/WorkloadKinds.ts"

/** In the order of discovery. */
export const all: ReadonlyArray<ResourceType> = [
  configMap,
  event,
  limitRange,
  namespace,
  node,
  pod,
  resourceQuota,
  secret,
  serviceAccount,
  service,
  deployment,
  replicaSet,
  horizontalPodAutoscaler,
  cronJob,
  job,
  networkPolicy,
  podDisruptionBudget,
  clusterRoleBinding,
  clusterRole,
  roleBinding,
  role,
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

/** A group is served in one version. */
export const versionOf = (group: string): string | undefined =>
  all.find((type) => type.group === group)?.version
