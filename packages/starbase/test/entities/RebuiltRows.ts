/** Both sides of INV-JRN-8 for one entity: what its appends leave behind, and what a rebuild makes of its journal. */
import { Effect, Schema } from "effect"
import type { ReadModelRow, StoredEvent } from "@starform/starbase/journal/Journal"
import type { EntityModel } from "@starform/starbase/journal/EntityModel"
import { foldOf } from "@starform/starbase/journal/ReadModelFold"

const idOf = ({ model, key }: ReadModelRow) => `${model} ${key}`

const byId = (rows: Iterable<ReadModelRow>) => [...rows].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1))

/** Rows and names as the appends write them, one after the other. */
export const left = <State, Event, OutboxEffect>(
  model: EntityModel<State, Event, OutboxEffect>,
  id: string,
  appends: ReadonlyArray<ReadonlyArray<Event>>
) => {
  const rows = new Map<string, ReadModelRow>()
  const names = new Set<string>()
  let state = model.initial(id)
  for (const events of appends) {
    for (const event of events) {
      state = model.evolve(state, event)
      for (const { kind, name } of model.releases(event, state)) names.delete(`${kind} ${name}`)
      for (const { kind, name } of model.reserves(event, state)) names.add(`${kind} ${name}`)
    }
    for (const row of model.rows(events, state)) {
      if (row.row === null) rows.delete(idOf(row))
      else rows.set(idOf(row), row)
    }
  }
  return { rows: byId(rows.values()), names: [...names].sort() }
}

/** Sizes that cut appends, and one that cuts nothing. */
export const pageSizes = [1, 3, 1_000]

/** @param pageSize events that are read at once */
export const rebuilt = <State, Event, OutboxEffect>(
  model: EntityModel<State, Event, OutboxEffect>,
  id: string,
  appends: ReadonlyArray<ReadonlyArray<Event>>,
  pageSize: number
) => {
  const encode = Schema.encodeSync(model.event)
  const stored = appends.flatMap((events, append) =>
    events.map((event) => ({
      event: encode(event),
      requestId: `request-${append}`,
      actor: "operator",
      atMs: 0
    }))
  )
  const journal = stored.map((entry, index): StoredEvent => ({ ...entry, sequence: index + 1 }))
  const fold = foldOf(model).begin(id)
  for (let from = 0; from < journal.length; from += pageSize) {
    Effect.runSync(fold.take(journal.slice(from, from + pageSize)))
  }
  const { rows, names } = fold.account()
  return { rows: byId(rows), names: names.map(({ kind, name }) => `${kind} ${name}`).sort() }
}
