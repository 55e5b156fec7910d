/** What an operator can be shown of any entity: its state at a sequence, and its journal. Read-only, without secrets. */
import { InternalFault, NotFound, Unavailable } from "@starform/domain/errors/RequestErrors"
import type { EntitySnapshot, EntityType, JournalEntry } from "@starform/domain/protocol/ClusterRpcs"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Journal, type JournalUnavailable } from "../journal/Journal.ts"
import type { EntityModel } from "../journal/EntityModel.ts"
import * as AppModel from "./app/AppModel.ts"
import * as AppView from "./app/AppView.ts"
import * as ClusterModel from "./cluster/ClusterModel.ts"
import * as ClusterView from "./cluster/ClusterView.ts"
import type { View } from "./SecretFree.ts"
import * as TenantModel from "./tenant/TenantModel.ts"
import * as TenantView from "./tenant/TenantView.ts"

/** Events folded for one answer; an entity with more is shown from its journal's pages. */
const eventsMax = 100_000

type InspectionError = NotFound | Unavailable | InternalFault

/** Which state: after an event, before the first event later than a time, or, as `null`, the present one. */
export type Moment = { readonly sequence: number } | { readonly atMs: number } | null

interface Inspection {
  readonly state: (id: string, moment: Moment) => Effect.Effect<EntitySnapshot, InspectionError, Journal>
  readonly journal: (
    id: string,
    after: number,
    limit: number
  ) => Effect.Effect<ReadonlyArray<JournalEntry>, InspectionError, Journal>
}

const inspectionOf = <State, Event, OutboxEffect>(
  model: EntityModel<State, Event, OutboxEffect>,
  shown: { readonly state: View; readonly event: View }
): Inspection => {
  const nameOf = (id: string) => `${model.type} ${id}`
  const unknown = (id: string) => new NotFound({ kind: model.type, name: id })
  const unavailable = (id: string) => (error: JournalUnavailable) =>
    Effect.logWarning(`${nameOf(id)}: ${error.message}`, error.cause).pipe(
      Effect.andThen(Effect.fail(new Unavailable({ what: nameOf(id) })))
    )
  const unreadable = (id: string) => (error: Schema.SchemaError) =>
    Effect.logError(`${nameOf(id)}: stored events cannot be shown`, error).pipe(
      Effect.andThen(Effect.fail(new InternalFault({ reference: nameOf(id) })))
    )
  const read = Effect.fnUntraced(function* (id: string, after: number, limit: number) {
    const journal = yield* Journal
    return yield* journal.read({ type: model.type, id }, after, limit).pipe(Effect.catch(unavailable(id)))
  })
  const decodeEvents = Schema.decodeUnknownEffect(Schema.Array(model.event))
  const encodeState = Schema.encodeEffect(model.state)

  return {
    state: Effect.fnUntraced(function* (id, moment) {
      const limit = moment !== null && "sequence" in moment ? moment.sequence : eventsMax
      const all = yield* read(id, 0, limit)
      const later = moment !== null && "atMs" in moment ? all.findIndex(({ atMs }) => atMs > moment.atMs) : -1
      const stored = later === -1 ? all : all.slice(0, later)
      if (stored.length === 0) return yield* unknown(id)
      const state = yield* decodeEvents(stored.map(({ event }) => event)).pipe(
        Effect.flatMap((events) => encodeState(events.reduce(model.evolve, model.initial(id)))),
        Effect.flatMap(shown.state),
        Effect.catch(unreadable(id))
      )
      return { sequence: stored.length, state }
    }),

    journal: Effect.fnUntraced(function* (id, after, limit) {
      const stored = yield* read(id, after, limit)
      if (stored.length === 0 && (yield* read(id, 0, 1)).length === 0) return yield* unknown(id)
      return yield* Effect.forEach(stored, (entry) =>
        Effect.map(shown.event(entry.event), (event) => ({ ...entry, event }))
      ).pipe(Effect.catch(unreadable(id)))
    })
  }
}

const inspections: Readonly<Record<EntityType, Inspection>> = {
  App: inspectionOf(AppModel.model, AppView),
  Cluster: inspectionOf(ClusterModel.model, ClusterView),
  Tenant: inspectionOf(TenantModel.model, TenantView)
}

/** An entity that did not exist at that moment is `NotFound`. */
export const inspect = (type: EntityType, id: string, moment: Moment) => inspections[type].state(id, moment)

/** A page of events with `sequence > after`, oldest first, at most `limit`. */
export const readJournal = (type: EntityType, id: string, after: number, limit: number) =>
  inspections[type].journal(id, after, limit)

/** Whether the entity has any history. */
export const exists = Effect.fnUntraced(function* (type: EntityType, id: string) {
  const journal = yield* Journal
  const first = yield* journal
    .read({ type, id }, 0, 1)
    .pipe(Effect.mapError(() => new Unavailable({ what: `${type} ${id}` })))
  return first.length > 0
})

/**
 * The present state as the journal has it, from the newest snapshot on; no entity is asked. Not for showing: it holds
 * what is sealed.
 */
const stateOf = <State, Event, OutboxEffect>(model: EntityModel<State, Event, OutboxEffect>) =>
  Effect.fnUntraced(
    function* (id: string) {
      const journal = yield* Journal
      const { snapshot, events } = yield* journal.load({ type: model.type, id })
      const known = Option.flatMap(snapshot, ({ state }) => Schema.decodeUnknownOption(model.state)(state))
      const isUnreadable = Option.isSome(snapshot) && Option.isNone(known)
      const stored = isUnreadable ? yield* journal.read({ type: model.type, id }, 0, eventsMax) : events
      const decoded = yield* Schema.decodeEffect(Schema.Array(model.event))(stored.map(({ event }) => event))
      return decoded.reduce(
        model.evolve,
        Option.getOrElse(known, () => model.initial(id))
      )
    },
    (effect, id) =>
      Effect.mapError(effect, (error) =>
        Schema.isSchemaError(error)
          ? new InternalFault({ reference: `${model.type} ${id}` })
          : new Unavailable({ what: `${model.type} ${id}` })
      )
  )

export const appState = stateOf(AppModel.model)
export const clusterState = stateOf(ClusterModel.model)
