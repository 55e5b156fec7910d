/**
 * What an entity's events say that its read models and names hold, by the same function that an append uses. Pure but
 * for decoding; called by the rebuild.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ReadModelRow, ReservedName, StoredEvent } from "./Journal.ts"
import { consequences, type EntityModel } from "./EntityModel.ts"

/** The rows and names that an entity accounts for. */
export interface Account {
  readonly rows: ReadonlyArray<ReadModelRow>
  readonly names: ReadonlyArray<ReservedName>
}

/** One entity being folded; holds its state and its rows, never its events. */
export interface ReadModelFold {
  /** The newest event that was taken; 0 before the first. */
  readonly sequence: () => number
  /** Takes the events that follow, in order. A page may end in the middle of an append. */
  readonly take: (page: ReadonlyArray<StoredEvent>) => Effect.Effect<void, Schema.SchemaError>
  /** To be asked when the newest append was taken whole. */
  readonly account: () => Account
}

/** What the rebuild knows of one entity type. */
export interface EntityFold {
  readonly type: string
  readonly begin: (id: string) => ReadModelFold
}

/**
 * The events of one append carry one request id and no other append's do, so each append is folded as it was
 * written. A whole history folded at once would lose rows: a state forgets old deploys, their rows stay.
 */
const begin = <State, Event, OutboxEffect>(
  model: EntityModel<State, Event, OutboxEffect>,
  id: string
): ReadModelFold => {
  const decode = Schema.decodeUnknownEffect(model.event)
  const rows = new Map<string, ReadModelRow>()
  const names = new Map<string, ReservedName>()
  let state = model.initial(id)
  let sequence = 0
  let requestId = ""
  let pending: Array<Event> = []

  const settle = () => {
    if (pending.length === 0) return
    const written = consequences(model, state, pending)
    pending = []
    state = written.state
    for (const { kind, name } of written.release) names.delete(`${kind} ${name}`)
    for (const { kind, name } of written.reserve) names.set(`${kind} ${name}`, { kind, name })
    for (const row of written.rows) {
      if (row.row === null) rows.delete(`${row.model} ${row.key}`)
      else rows.set(`${row.model} ${row.key}`, row)
    }
  }

  return {
    sequence: () => sequence,
    take: (page) =>
      Effect.forEach(
        page,
        (stored) =>
          Effect.map(decode(stored.event), (event) => {
            if (stored.requestId !== requestId) settle()
            requestId = stored.requestId
            sequence = stored.sequence
            pending.push(event)
          }),
        { discard: true }
      ),
    account: () => {
      settle()
      return { rows: [...rows.values()], names: [...names.values()] }
    }
  }
}

export const foldOf = <State, Event, OutboxEffect>(
  model: EntityModel<State, Event, OutboxEffect>
): EntityFold => ({ type: model.type, begin: (id) => begin(model, id) })
