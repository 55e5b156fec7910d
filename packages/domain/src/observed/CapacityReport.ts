/** How full a cluster is, as its agent counted it. Placement is decided by it, nothing is charged by it. */
import * as Schema from "effect/Schema"
import { ClusterId } from "../ids/Ids.ts"
import * as SnakeCase from "../protocol/SnakeCase.ts"

const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))

/** @source reference specification §6.3 */
export const CapacityReport = SnakeCase.struct({
  clusterId: ClusterId,
  /** Every pod of the cluster, whoever made it. */
  currentPodCount: Count,
  /** Pods that the cluster is to hold at most. */
  softLimit: Count,
  /** ISO 8601; when the agent counted, by its own clock. */
  timestamp: Schema.String.check(Schema.isPattern(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$/))
})
export type CapacityReport = typeof CapacityReport.Type
