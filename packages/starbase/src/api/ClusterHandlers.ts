/** Public RPCs for operators: clusters, and the inside of any entity, read-only. */
import { InvalidInput, Unavailable } from "@starform/domain/errors/RequestErrors"
import { CurrentPrincipal } from "@starform/domain/model/Principal"
import { ClusterRpcs } from "@starform/domain/protocol/ClusterRpcs"
import * as Effect from "effect/Effect"
import { EntityClients } from "../entities/EntityClients.ts"
import { inspect } from "../entities/EntityModels.ts"
import { Journal } from "../journal/Journal.ts"
import { derivedId } from "./internal/derivedId.ts"
import { requireOperator } from "./TenantHandlers.ts"

/** Largest page of a journal. */
export const journalPageMax = 500

const tokenHash = /^[0-9a-f]{64}$/

export const layerNoDeps = ClusterRpcs.toLayer(
  Effect.gen(function* () {
    const entities = yield* EntityClients
    const journal = yield* Journal

    return ClusterRpcs.of({
      RegisterCluster: Effect.fnUntraced(function* ({ requestId, clusterId, name, region, agentTokenHash }) {
        const principal = yield* CurrentPrincipal
        yield* requireOperator(principal, "register a cluster")
        if (!tokenHash.test(agentTokenHash)) {
          return yield* new InvalidInput({ field: "agentTokenHash", problem: "must be 64 hex digits" })
        }
        const epoch = derivedId("epoch", clusterId, requestId).slice(0, 8)
        const registration = { clusterId, name, region, agentTokenHash }
        yield* entities
          .cluster(clusterId, (cluster) =>
            cluster.RegisterCluster({ requestId, principal, registration, epoch })
          )
          .pipe(Effect.catchTag("Superseded", Effect.die))
        return yield* entities.cluster(clusterId, (cluster) => cluster.GetCluster())
      }),

      GetCluster: Effect.fnUntraced(function* ({ clusterId }) {
        yield* requireOperator(yield* CurrentPrincipal, "look into a cluster")
        return yield* entities.cluster(clusterId, (cluster) => cluster.GetCluster())
      }),

      InspectEntity: Effect.fnUntraced(function* ({ type, id, sequence }) {
        yield* requireOperator(yield* CurrentPrincipal, "look into an entity")
        return yield* inspect(type, id, sequence).pipe(Effect.provideService(Journal, journal))
      }),

      ReadJournal: Effect.fnUntraced(function* ({ type, id, afterSequence, limit }) {
        yield* requireOperator(yield* CurrentPrincipal, "read a journal")
        if (limit < 1 || limit > journalPageMax) {
          return yield* new InvalidInput({ field: "limit", problem: `must be 1 to ${journalPageMax}` })
        }
        return yield* journal
          .read({ type, id }, afterSequence, limit)
          .pipe(Effect.mapError(() => new Unavailable({ what: "journal" })))
      })
    })
  })
)
