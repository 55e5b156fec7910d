/** How a process reaches what all processes share: a request travels, is executed at one instant, and its answer travels back. */
import * as Effect from "effect/Effect"
import type { Process } from "./World.ts"

/** What becomes of one request. */
export interface Passage {
  readonly there: number
  readonly back: number
  /** `lost`: it never arrives. `unheard`: it is executed, and the caller hears that the connection broke. */
  readonly fate: "answered" | "lost" | "unheard"
}

/** Decides the fate of every request of every process. */
export type Road = (from: Process, operation: string) => Passage

export interface Store {
  readonly process: Process
  readonly road: Road
}

/**
 * @param perform what the store does, without waiting for anything
 * @param broken what the caller hears when it does not hear the answer
 */
export const ask = <A, E>(
  store: Store,
  from: Process,
  operation: string,
  perform: Effect.Effect<A, E>,
  broken: (operation: string) => E
): Effect.Effect<A, E> =>
  from.wait<A, E>((answer) => {
    const { there, back, fate } = store.road(from, operation)
    const reply = (result: Effect.Effect<A, E>) =>
      store.process.after(back, () => answer(fate === "answered" ? result : Effect.fail(broken(operation))))
    store.process.after(there, () => {
      if (fate === "lost") reply(Effect.fail(broken(operation)))
      else Effect.runForkWith(store.process.context)(perform).addObserver(reply)
    })
  })
