/** The pure parts of an entity type, and what they make of one append. */
import type * as Schema from "effect/Schema"
import type * as Journal from "./Journal.ts"

/** The pure parts of one entity type. Every function is total and free of effects. */
export interface EntityModel<State, Event, OutboxEffect> {
  readonly type: string
  readonly state: Schema.Codec<State, unknown>
  readonly event: Schema.Codec<Event, unknown>
  readonly effect: Schema.Codec<OutboxEffect, unknown>
  readonly initial: (id: string) => State
  readonly evolve: (state: State, event: Event) => State
  /** Effects that an event causes outside the entity; sees the state after it. */
  readonly effects: (event: Event, state: State) => ReadonlyArray<OutboxEffect>
  readonly reserves: (event: Event, state: State) => ReadonlyArray<Journal.ReservedName>
  readonly releases: (event: Event, state: State) => ReadonlyArray<Journal.ReservedName>
  /** Rows of read models after these events; a later row of the same model and key wins. */
  readonly rows: (events: ReadonlyArray<Event>, state: State) => ReadonlyArray<Journal.ReadModelRow>
}

/** What one append's events make of the state, and what is written beside them. */
export const consequences = <State, Event, OutboxEffect>(
  model: EntityModel<State, Event, OutboxEffect>,
  before: State,
  events: ReadonlyArray<Event>
) => {
  let state = before
  const effects: Array<OutboxEffect> = []
  const reserve: Array<Journal.ReservedName> = []
  const release: Array<Journal.ReservedName> = []
  for (const event of events) {
    state = model.evolve(state, event)
    effects.push(...model.effects(event, state))
    reserve.push(...model.reserves(event, state))
    release.push(...model.releases(event, state))
  }
  const rows = new Map(model.rows(events, state).map((row) => [`${row.model} ${row.key}`, row]))
  return { state, effects, reserve, release, rows: [...rows.values()] }
}
