/**
 * The clusters that are in memory here, for the pull that is by far the most frequent: an agent that waits for nothing and
 * has the newest revision. It is answered from the memory of the entity, without an ask; everything else is asked.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

export interface ResidentCluster {
  /** Whether this agent may pull and `known` is the newest revision. Notes that it was seen when it is so. */
  readonly isUpToDate: (agentTokenHash: string, known: string) => boolean
}

export class ResidentClusters extends Context.Service<
  ResidentClusters,
  {
    /** For as long as the incarnation lives. */
    readonly enter: (id: string, cluster: ResidentCluster) => Effect.Effect<void, never, Scope.Scope>
    /** `false` for a cluster that is not in memory here: ask it. */
    readonly isUpToDate: (id: string, agentTokenHash: string, known: string) => boolean
  }
>()("@starform/starbase/entities/ResidentClusters") {}

export const layer = Layer.sync(ResidentClusters, () => {
  const resident = new Map<string, ResidentCluster>()
  return ResidentClusters.of({
    enter: (id, cluster) =>
      Effect.acquireRelease(
        Effect.sync(() => resident.set(id, cluster)),
        () =>
          Effect.sync(() => {
            if (resident.get(id) === cluster) resident.delete(id)
          })
      ).pipe(Effect.asVoid),
    isUpToDate: (id, agentTokenHash, known) => resident.get(id)?.isUpToDate(agentTokenHash, known) ?? false
  })
})
