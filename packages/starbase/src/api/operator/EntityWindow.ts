/** What an entity does now, wherever it lives: a mailbox that is full and an owner that is away are answers too. */
import { NotFound, Unavailable } from "@starform/domain/errors/RequestErrors"
import { AppId } from "@starform/domain/ids/AppId"
import { ClusterId, WorkspaceId } from "@starform/domain/ids/Ids"
import type { EntityType } from "@starform/domain/protocol/ClusterRpcs"
import type { EntityActivity as Activity } from "@starform/domain/protocol/OperatorRpcs"
import * as Context from "effect/Context"
import * as EntityId from "effect/cluster/EntityId"
import { Sharding } from "effect/cluster/Sharding"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { AppEntity } from "../../entities/app/AppEntity.ts"
import { ClusterEntity } from "../../entities/cluster/ClusterEntity.ts"
import { EntityActivity, type OwnedIncarnation } from "../../entities/EntityActivity.ts"
import { EntityClients } from "../../entities/EntityClients.ts"
import { exists } from "../../entities/EntityModels.ts"
import { TenantEntity } from "../../entities/tenant/TenantEntity.ts"
import { Journal } from "../../journal/Journal.ts"
import { ShardRegister } from "../../runners/ShardRegister.ts"

/** An owner that has not answered by then is away. */
export const lookMax = Duration.seconds(2)

/** A turn may have to end before memory is dropped. */
export const passivateMax = Duration.seconds(10)

const protocols = { App: AppEntity, Cluster: ClusterEntity, Tenant: TenantEntity } as const

export class EntityWindow extends Context.Service<
  EntityWindow,
  {
    /** @errors NotFound for an entity without history */
    readonly activity: (type: EntityType, id: string) => Effect.Effect<Activity, NotFound | Unavailable>
    /** @returns the sequence of what was read anew */
    readonly passivate: (type: EntityType, id: string) => Effect.Effect<number, NotFound | Unavailable>
  }
>()("@starform/starbase/api/operator/EntityWindow") {}

export const layerNoDeps = Layer.effect(
  EntityWindow,
  Effect.gen(function* () {
    const sharding = yield* Sharding
    const residents = yield* EntityActivity
    const entities = yield* EntityClients
    const register = yield* ShardRegister
    const journal = yield* Journal

    const checkExists = (type: EntityType, id: string) =>
      exists(type, id).pipe(
        Effect.provideService(Journal, journal),
        Effect.flatMap((is) => (is ? Effect.void : Effect.fail(new NotFound({ kind: type, name: id }))))
      )

    const ask = {
      App: (id: string) => entities.app(AppId.make(id), (app) => app.InspectActivity()),
      Cluster: (id: string) => entities.cluster(ClusterId.make(id), (cluster) => cluster.InspectActivity()),
      Tenant: (id: string) => entities.tenant(WorkspaceId.make(id), (tenant) => tenant.InspectActivity())
    }

    const reread = {
      App: (id: string) => entities.app(AppId.make(id), (app) => app.Passivate()),
      Cluster: (id: string) => entities.cluster(ClusterId.make(id), (cluster) => cluster.Passivate()),
      Tenant: (id: string) => entities.tenant(WorkspaceId.make(id), (tenant) => tenant.Passivate())
    }

    const shardOf = (type: EntityType, id: string) => {
      const entityId = EntityId.make(id)
      return sharding.getShardId(entityId, protocols[type].getShardGroup(entityId))
    }

    const seen = ({ owner, incarnation }: OwnedIncarnation) =>
      ({ status: "resident", owner, incarnation }) as const

    const unseen = (status: "absent" | "overloaded" | "away") => ({ status, incarnation: null }) as const

    /** Through another process: the entity is asked, which no turn delays. */
    const lookThere = (type: EntityType, id: string) =>
      ask[type](id).pipe(
        Effect.timeout(lookMax),
        Effect.map(seen),
        Effect.catch(({ _tag }) => Effect.succeed(unseen(_tag === "Overloaded" ? "overloaded" : "away")))
      )

    return EntityWindow.of({
      activity: Effect.fnUntraced(function* (type, id) {
        yield* checkExists(type, id)
        const shard = shardOf(type, id)
        const here = yield* residents.find(type, id)
        const found = !sharding.hasShardId(shard)
          ? yield* lookThere(type, id)
          : Option.isSome(here)
            ? seen(yield* here.value.look)
            : unseen("absent")
        const owner =
          found.status === "resident"
            ? found.owner
            : yield* register.owner(String(shard)).pipe(
                Effect.map((holder) => holder?.runner ?? null),
                Effect.orElseSucceed(() => null)
              )
        return { type, id, shardGroup: shard.group, shard: shard.id, ...found, owner }
      }),

      passivate: Effect.fnUntraced(function* (type, id) {
        yield* checkExists(type, id)
        return yield* reread[type](id).pipe(
          Effect.timeout(passivateMax),
          Effect.mapError(() => new Unavailable({ what: `${type} ${id}` }))
        )
      })
    })
  })
)
