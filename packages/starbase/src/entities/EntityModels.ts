/** What an operator can be shown of any entity: its state at a sequence, folded from its journal. Read-only. */
import { InternalFault, NotFound, Unavailable } from "@starform/domain/errors/RequestErrors"
import type { EntityType } from "@starform/domain/protocol/ClusterRpcs"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Journal } from "../journal/Journal.ts"
import type { EntityModel } from "../journal/JournaledEntity.ts"
import * as AppModel from "./app/AppModel.ts"
import * as ClusterModel from "./cluster/ClusterModel.ts"
import * as TenantModel from "./tenant/TenantModel.ts"

/** Events folded for one answer; an entity with more is shown from its journal's pages. */
const eventsMax = 100_000

const foldWith = Effect.fnUntraced(function* <State, Event, OutboxEffect>(
  model: EntityModel<State, Event, OutboxEffect>,
  id: string,
  sequence: number | null
) {
  const journal = yield* Journal
  const name = `${model.type} ${id}`
  const stored = yield* journal
    .read({ type: model.type, id }, 0, sequence ?? eventsMax)
    .pipe(Effect.mapError(() => new Unavailable({ what: name })))
  if (stored.length === 0) return yield* new NotFound({ kind: model.type, name: id })
  const unreadable = () => new InternalFault({ reference: name })
  const events = yield* Schema.decodeEffect(Schema.Array(model.event))(stored.map(({ event }) => event)).pipe(
    Effect.mapError(unreadable)
  )
  const state = yield* Schema.encodeEffect(model.state)(events.reduce(model.evolve, model.initial(id))).pipe(
    Effect.mapError(unreadable)
  )
  return { sequence: stored.length, state }
})

/** @param sequence the state after that event; `null` is after the newest */
export const inspect = (type: EntityType, id: string, sequence: number | null) => {
  switch (type) {
    case "App":
      return foldWith(AppModel.model, id, sequence)
    case "Cluster":
      return foldWith(ClusterModel.model, id, sequence)
    case "Tenant":
      return foldWith(TenantModel.model, id, sequence)
  }
}
