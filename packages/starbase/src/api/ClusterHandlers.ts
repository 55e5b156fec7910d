/** Public RPCs for operators: clusters, and the inside of any entity, read-only. */
import { InvalidInput, NotFound } from "@starform/domain/errors/RequestErrors"
import type { ClusterId } from "@starform/domain/ids/Ids"
import { CurrentPrincipal } from "@starform/domain/model/Principal"
import { ClusterRpcs, type EntityType } from "@starform/domain/protocol/ClusterRpcs"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { freshEpoch } from "../desired/FreshEpoch.ts"
import { EntityClients } from "../entities/EntityClients.ts"
import { Directory } from "./Directory.ts"
import { UsageStore } from "../usage/UsageStore.ts"
import { derivedId } from "./internal/derivedId.ts"
import { momentOf } from "./operator/Moments.ts"
import { OperatorDesk } from "./operator/OperatorDesk.ts"
import { requireOperator } from "./TenantHandlers.ts"

const tokenHash = /^[0-9a-f]{64}$/

export const layerNoDeps = ClusterRpcs.toLayer(
  Effect.gen(function* () {
    const entities = yield* EntityClients
    const desk = yield* OperatorDesk
    const directory = yield* Directory
    const usage = yield* UsageStore

    /** The inside of an entity is nobody's but the operators': for all others there is none (INV-API-2). */
    const requireInsider = Effect.fnUntraced(function* (type: EntityType, id: string) {
      const principal = yield* CurrentPrincipal
      if (principal._tag !== "Operator") return yield* new NotFound({ kind: type, name: id })
      return principal
    })

    const capacityOf = Effect.fnUntraced(function* (clusterId: ClusterId) {
      const known = yield* usage.capacityOf(clusterId)
      const nowMs = yield* Clock.currentTimeMillis
      return Option.getOrNull(
        Option.map(known, ({ atMs, currentPodCount, softLimit }) => ({
          currentPodCount,
          softLimit,
          ageSeconds: Math.max(0, Math.floor((nowMs - atMs) / 1000))
        }))
      )
    })

    return ClusterRpcs.of({
      RegisterCluster: Effect.fnUntraced(function* ({ requestId, clusterId, name, region, agentTokenHash }) {
        const principal = yield* CurrentPrincipal
        yield* requireOperator(principal, "register a cluster")
        if (agentTokenHash !== undefined && !tokenHash.test(agentTokenHash)) {
          return yield* new InvalidInput({ field: "agentTokenHash", problem: "must be 64 hex digits" })
        }
        const epoch = derivedId("epoch", clusterId, requestId).slice(0, 8)
        const registration = { clusterId, name, region, agentTokenHash: agentTokenHash ?? null }
        yield* entities
          .cluster(clusterId, (cluster) =>
            cluster.RegisterCluster({ requestId, principal, registration, epoch })
          )
          .pipe(Effect.catchTag("Superseded", Effect.die))
        return yield* entities.cluster(clusterId, (cluster) => cluster.GetCluster())
      }),

      GetCluster: Effect.fnUntraced(function* ({ clusterId }) {
        yield* requireOperator(yield* CurrentPrincipal, "look into a cluster")
        const cluster = yield* entities.cluster(clusterId, (asked) => asked.GetCluster())
        return { ...cluster, capacity: yield* capacityOf(clusterId) }
      }),

      ConfirmMassPrune: Effect.fnUntraced(function* ({ requestId, clusterId }) {
        const principal = yield* CurrentPrincipal
        yield* requireOperator(principal, "confirm a prune")
        yield* entities
          .cluster(clusterId, (cluster) => cluster.ConfirmMassPrune({ requestId, principal }))
          .pipe(Effect.catchTag("Superseded", Effect.die))
        return yield* entities.cluster(clusterId, (cluster) => cluster.GetCluster())
      }),

      RenewEpoch: Effect.fnUntraced(function* ({ requestId, clusterId }) {
        const principal = yield* CurrentPrincipal
        yield* requireOperator(principal, "renew an epoch")
        const epoch = yield* freshEpoch
        yield* entities
          .cluster(clusterId, (cluster) => cluster.RenewEpoch({ requestId, principal, epoch }))
          .pipe(
            Effect.catchTags({
              Superseded: Effect.die,
              NotFound: () => Effect.fail(new NotFound({ kind: "cluster", name: clusterId }))
            })
          )
        return yield* entities.cluster(clusterId, (cluster) => cluster.GetCluster())
      }),

      ConfirmEpoch: Effect.fnUntraced(function* ({ requestId, clusterId, epoch }) {
        const principal = yield* CurrentPrincipal
        yield* requireOperator(principal, "confirm an epoch")
        yield* entities
          .cluster(clusterId, (cluster) => cluster.ConfirmEpoch({ requestId, principal, epoch }))
          .pipe(
            Effect.catchTags({
              Superseded: Effect.die,
              NotFound: () => Effect.fail(new NotFound({ kind: "cluster", name: clusterId }))
            })
          )
        return yield* entities.cluster(clusterId, (cluster) => cluster.GetCluster())
      }),

      IssueJoinToken: Effect.fnUntraced(function* ({ requestId, clusterId, joinTokenHash }) {
        const principal = yield* CurrentPrincipal
        yield* requireOperator(principal, "issue a join token")
        return yield* desk.issueJoinToken(principal, clusterId, requestId, joinTokenHash)
      }),

      RotateAgentCredential: Effect.fnUntraced(function* ({ requestId, clusterId }) {
        const principal = yield* CurrentPrincipal
        yield* requireOperator(principal, "rotate a credential")
        return yield* desk.rotateCredential(principal, clusterId, requestId)
      }),

      RevokeAgentCredential: Effect.fnUntraced(function* ({ requestId, clusterId }) {
        const principal = yield* CurrentPrincipal
        yield* requireOperator(principal, "revoke a credential")
        return yield* desk.revokeCredential(principal, clusterId, requestId)
      }),

      ListClusters: Effect.fnUntraced(function* () {
        return yield* directory.clusters(yield* CurrentPrincipal)
      }),

      InspectEntity: Effect.fnUntraced(function* ({ type, id, sequence, atMs }) {
        const insider = yield* requireInsider(type, id)
        return yield* desk.state(insider, type, id, yield* momentOf(sequence, atMs ?? null))
      }),

      ReadJournal: Effect.fnUntraced(function* ({ type, id, afterSequence, limit }) {
        const insider = yield* requireInsider(type, id)
        return yield* desk.journal(insider, type, id, afterSequence, limit)
      })
    })
  })
)
