/** What a pull is answered, still sealed: a delta where the base is known, else the whole. Pure. */
import * as Revision from "@starform/domain/ids/Revision"
import * as Schema from "effect/Schema"
import { DesiredEntry } from "../../desired/DesiredEntry.ts"
import { type ClusterState, isMassPruneConfirmed, NumberedTombstone, revisionOf } from "./ClusterState.ts"

/** An operator asks the agent to rotate its credential. Said by owners that know of it, and only when it is so. */
const rotate = { rotate: Schema.optionalKey(Schema.Literal(true)) }

const shared = {
  ...rotate,
  revision: Revision.Revision,
  lbSizeUnits: Schema.Int,
  /** All entries at `revision`, for the hash of the document. */
  entries: Schema.Array(DesiredEntry),
  tombstones: Schema.Array(NumberedTombstone),
  massPruneConfirmed: Schema.Boolean,
  epochConfirmed: Schema.Boolean
}

export const DesiredAnswer = Schema.TaggedUnion({
  Unchanged: { ...rotate, revision: Revision.Revision },
  Full: shared,
  /** `changed` are the ids of the entries that differ from `base`. */
  Delta: { ...shared, base: Revision.Revision, changed: Schema.Array(Schema.String) }
})
export type DesiredAnswer = typeof DesiredAnswer.Type

/** Whether a document newer than `known` exists. What is not of this history is not newer: see INV-CLU-7. */
export const isNewer = (state: ClusterState, known: Revision.Revision | null): boolean =>
  known === null || known !== revisionOf(state)

/** Whether `known` is of another history than this one: a number or an epoch that was never given here. */
export const isUnheardOf = (state: ClusterState, known: Revision.Revision | null): boolean => {
  if (known === null) return false
  const { epoch, n } = Revision.parse(known)
  return epoch === state.epoch ? n > state.n : !state.pastEpochs.includes(epoch)
}

const byAppId = <A extends { readonly appId: string }>(items: ReadonlyArray<A>): ReadonlyArray<A> =>
  [...items].sort((a, b) => (a.appId < b.appId ? -1 : 1))

export const answer = (
  state: ClusterState,
  known: Revision.Revision | null,
  allowDelta: boolean
): DesiredAnswer => {
  const revision = revisionOf(state)
  const asked = state.credential.rotationAsked ? { rotate: true as const } : {}
  if (!isNewer(state, known)) return { _tag: "Unchanged", ...asked, revision }
  const numbered = Object.values(state.entries)
  const whole = {
    ...asked,
    revision,
    lbSizeUnits: state.lbSizeUnits,
    entries: byAppId(numbered.map(({ entry }) => entry)),
    tombstones: byAppId(Object.values(state.tombstones)),
    massPruneConfirmed: isMassPruneConfirmed(state),
    epochConfirmed: state.epochConfirmed
  }
  if (known === null || !allowDelta) return { _tag: "Full", ...whole }
  const base = Revision.parse(known)
  const isUsable = base.epoch === state.epoch && base.n < state.n && base.n >= state.deltaFloor
  if (!isUsable) return { _tag: "Full", ...whole }
  const changed = numbered.filter(({ n }) => n > base.n).map(({ entry }) => entry.appId)
  return { _tag: "Delta", ...whole, base: known, changed }
}
