/**
 * Which workspaces and clusters exist. A token names its owner in clear, so whoever is not proved yet can name any id:
 * an entity is asked only for an owner that has a journal (INV-SEC-5).
 */
import { Unavailable } from "@starform/domain/errors/RequestErrors"
import type { ClusterId, WorkspaceId } from "@starform/domain/ids/Ids"
import * as Cache from "effect/Cache"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Journal } from "../journal/Journal.ts"

/** Owners remembered per process. They never cease to exist, and one that does not is looked for again. */
const ownersKept = 20_000

export class KnownOwners extends Context.Service<
  KnownOwners,
  {
    readonly hasWorkspace: (id: WorkspaceId) => Effect.Effect<boolean, Unavailable>
    readonly hasCluster: (id: ClusterId) => Effect.Effect<boolean, Unavailable>
  }
>()("@starform/starbase/security/KnownOwners") {}

export const layerNoDeps = Layer.effect(
  KnownOwners,
  Effect.gen(function* () {
    const journal = yield* Journal
    const known = (type: string) =>
      Cache.makeWith(
        (id: string) =>
          journal.read({ type, id }, 0, 1).pipe(
            Effect.map((events) => events.length > 0),
            Effect.mapError(() => new Unavailable({ what: `${type} ${id}` }))
          ),
        {
          capacity: ownersKept,
          timeToLive: (exit) => (exit._tag === "Success" && exit.value ? Duration.infinity : 0)
        }
      )
    const workspaces = yield* known("Tenant")
    const clusters = yield* known("Cluster")
    return KnownOwners.of({
      hasWorkspace: (id) => Cache.get(workspaces, id),
      hasCluster: (id) => Cache.get(clusters, id)
    })
  })
)
