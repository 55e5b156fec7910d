/** The held document as it is stored. Pure; restoring checks the hash again. */
import { format, FullState } from "@starform/domain/desired/DesiredState"
import type { ClusterId } from "@starform/domain/ids/Ids"
import * as Revision from "@starform/domain/ids/Revision"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import {
  accept,
  type DocumentRejected,
  type HeldDocument,
  UnreadableEntry
} from "../starbase/DesiredDocument.ts"
import type { PruneLimits } from "../starbase/PruneGate.ts"

/** Version 1 of the stored form; another one is not read. */
export const StoredDocument = Schema.Struct({
  version: Schema.Literal(1),
  document: FullState,
  /** Entries of it that were not readable when it arrived. */
  unreadable: Schema.optionalKey(Schema.Array(UnreadableEntry)),
  trustedEpoch: Schema.String,
  admitted: Schema.Array(Schema.String)
})
export type StoredDocument = typeof StoredDocument.Type

export const toStored = (held: HeldDocument, clusterId: ClusterId): StoredDocument => ({
  version: 1,
  document: {
    kind: "full",
    format,
    clusterId,
    revision: held.revision,
    hash: held.hash,
    clusterConfig: held.clusterConfig,
    apps: Array.from(held.apps.values(), ({ app }) => app),
    tombstones: held.tombstones,
    massPruneConfirmed: held.massPruneConfirmed,
    epochConfirmed: held.epochConfirmed
  },
  ...(held.unreadable.size === 0 ? {} : { unreadable: [...held.unreadable.values()] }),
  trustedEpoch: held.trustedEpoch,
  admitted: [...held.admitted]
})

export const fromStored = (
  stored: StoredDocument,
  clusterId: ClusterId,
  limits: PruneLimits
): Result.Result<HeldDocument, DocumentRejected> =>
  Result.map(accept(null, stored.document, clusterId, limits, stored.unreadable), (held) => {
    const admitted = new Set(stored.admitted)
    const isWhole = admitted.size === held.tombstones.length
    return {
      ...held,
      trustedEpoch: stored.trustedEpoch,
      admitted,
      pruneHold:
        Revision.parse(held.revision).epoch !== stored.trustedEpoch
          ? "EpochUnconfirmed"
          : isWhole
            ? null
            : "TooManyTombstones"
    }
  })
