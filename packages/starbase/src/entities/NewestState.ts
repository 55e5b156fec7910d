/**
 * What writes nothing is stopped by no fence: an incarnation whose shard has moved, and which does not know it yet, would
 * reject a command for what its memory does not hold (a deploy that was accepted elsewhere is `NotFound`), and whoever
 * asked would believe it. So a rejection, and an observation that changes nothing, are answered on the newest state.
 */
import { classOf, type Reaction } from "@starform/domain/errors/Reaction"
import * as Effect from "effect/Effect"

interface Reloadable<E> {
  readonly reload: Effect.Effect<unknown, E>
}

interface Rejection {
  readonly _tag: string
  readonly reaction: Reaction
}

/** Whether memory decided so; a reused request id and a taken name are the journal's own answers. */
const isOfMemory = (error: unknown): boolean => {
  if (typeof error !== "object" || error === null || !("reaction" in error)) return false
  const { _tag, reaction } = error as Rejection
  return classOf(reaction) === "rejected" && _tag !== "RequestIdReused" && _tag !== "NameTaken"
}

/** Decides again on the newest state before it rejects. */
export const rejectedOnlyOnNewest =
  <E2>(entity: Reloadable<E2>) =>
  <A, E, R>(decide: Effect.Effect<A, E, R>): Effect.Effect<A, E | E2, R> =>
    Effect.catchIf(decide, isOfMemory, () => Effect.andThen(entity.reload, decide))
