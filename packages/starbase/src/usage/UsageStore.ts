/**
 * What agents report of their clusters' pods: snapshots that usage is charged by, and capacity. Outside the journal: nothing
 * here is a decision, and a snapshot is stored once however often it is sent (INV-USE-1). Rows are kept until billing, which
 * sums them up, removes them; nothing here does.
 */
import type { InternalFault, Overloaded, Unavailable } from "@starform/domain/errors/RequestErrors"
import type { ClusterId } from "@starform/domain/ids/Ids"
import type { CapacityReport } from "@starform/domain/observed/CapacityReport"
import type { PodSnapshot, SnapshotReceipt } from "@starform/domain/observed/PodSnapshot"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"

export interface KnownCapacity {
  readonly currentPodCount: number
  readonly softLimit: number
  /** When it arrived, by Starbase's clock; milliseconds since 1970. */
  readonly atMs: number
}

export type UsageError = Overloaded | Unavailable | InternalFault

export class UsageStore extends Context.Service<
  UsageStore,
  {
    /** On return all that is this cluster's own is stored, in one statement. Safe to repeat. */
    readonly storeSnapshots: (
      clusterId: ClusterId,
      snapshots: ReadonlyArray<PodSnapshot>
    ) => Effect.Effect<SnapshotReceipt, UsageError>
    /** Keeps it unless what is kept is less than 30 s old. */
    readonly putCapacity: (
      report: Pick<CapacityReport, "clusterId" | "currentPodCount" | "softLimit">
    ) => Effect.Effect<void, UsageError>
    readonly capacityOf: (clusterId: ClusterId) => Effect.Effect<Option.Option<KnownCapacity>, UsageError>
  }
>()("@starform/starbase/usage/UsageStore") {}
