/** Gathers what is known of an app. Every source that does not answer in time is a fact too; only the journal must. */
import { type InternalFault, NotFound, Unavailable } from "@starform/domain/errors/RequestErrors"
import type { AppId } from "@starform/domain/ids/AppId"
import { BuildId, type ClusterId } from "@starform/domain/ids/Ids"
import { isTerminal } from "@starform/domain/model/Deploy"
import type { EntityType } from "@starform/domain/protocol/ClusterRpcs"
import type { EntityActivity as Activity } from "@starform/domain/protocol/OperatorRpcs"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { publicDeploy } from "../../../entities/app/AppEntity.ts"
import type { AppState } from "../../../entities/app/AppEntity.ts"
import { EntityClients } from "../../../entities/EntityClients.ts"
import { appState, clusterState } from "../../../entities/EntityModels.ts"
import { Journal } from "../../../journal/Journal.ts"
import { Outbox } from "../../../journal/Outbox.ts"
import { StarbaseConfig } from "../../../StarbaseConfig.ts"
import { DeployRuns } from "../../../workflows/DeployRuns.ts"
import { grace } from "../../../workflows/DeployWatch.ts"
import { EntityWindow, lookMax } from "../EntityWindow.ts"
import type { AppFacts, ClusterFacts } from "./AppFacts.ts"

export class GatherFacts extends Context.Service<
  GatherFacts,
  {
    /** @errors NotFound for an app that never was; Unavailable when the database does not answer */
    readonly gather: (appId: AppId) => Effect.Effect<AppFacts, NotFound | Unavailable | InternalFault>
  }
>()("@starform/starbase/api/operator/why/GatherFacts") {}

/** Copies that somebody wants of what is live. */
const copiesOf = ({ live, settings }: AppState): number =>
  (live?.entry.processes ?? []).reduce((sum, { name, replicas }) => {
    const scale = settings.scale.find(({ process }) => process === name)
    return sum + (scale?.replicas ?? replicas)
  }, 0)

const liveOf = ({ live, releases }: AppState): AppFacts["live"] =>
  live === null
    ? null
    : {
        release: releases.find(({ id }) => id === live.entry.releaseId)?.number ?? null,
        ordinal: live.entry.ordinal
      }

const observedOf = ({ observed }: AppState): AppFacts["observed"] =>
  observed === null
    ? null
    : {
        ordinal: observed.ordinal,
        phase: observed.phase,
        reason: observed.reason,
        sinceMs: observed.sinceMs
      }

export const layerNoDeps = Layer.effect(
  GatherFacts,
  Effect.gen(function* () {
    const journal = yield* Journal
    const outbox = yield* Outbox
    const window = yield* EntityWindow
    const runs = yield* DeployRuns
    const entities = yield* EntityClients
    const { buildDeadline, rolloutDeadline } = yield* StarbaseConfig
    const limits = {
      buildMs: Duration.toMillis(buildDeadline),
      rolloutMs: Duration.toMillis(rolloutDeadline),
      graceMs: Duration.toMillis(grace)
    }

    const backlog = (type: EntityType, id: string, line = "") =>
      outbox.backlog(1, { key: { type, id }, line }).pipe(
        Effect.map((rows) => rows[0] ?? null),
        Effect.mapError(() => new Unavailable({ what: "the outbox" }))
      )

    const nowhere = (type: EntityType, id: string): Activity => ({
      type,
      id,
      shardGroup: "default",
      shard: 0,
      owner: null,
      status: "absent",
      incarnation: null
    })

    const activity = (type: EntityType, id: string) =>
      window.activity(type, id).pipe(Effect.catchTag("NotFound", () => Effect.succeed(nowhere(type, id))))

    const clusterFacts = Effect.fnUntraced(function* (id: ClusterId, appId: AppId) {
      const state = yield* clusterState(id).pipe(Effect.provideService(Journal, journal))
      const known = yield* entities
        .cluster(id, (cluster) => cluster.GetCluster())
        .pipe(
          Effect.timeoutOption(lookMax),
          Effect.option,
          Effect.map((asked) => asked)
        )
      const answer = known._tag === "Some" && known.value._tag === "Some" ? known.value.value : null
      const entry = state.entries[appId]
      const facts: ClusterFacts = {
        id,
        name: state.registration?.name ?? null,
        revision: answer?.revision ?? null,
        epochConfirmed: state.epochConfirmed,
        entry: entry === undefined ? null : { ordinal: entry.entry.ordinal, n: entry.n },
        agent: answer === null ? null : { revision: answer.agentRevision, seenAtMs: answer.agentSeenAtMs },
        activity: yield* activity("Cluster", id),
        outbox: yield* backlog("Cluster", id, appId)
      }
      return facts
    })

    return GatherFacts.of({
      gather: Effect.fnUntraced(function* (appId) {
        const state = yield* appState(appId).pipe(Effect.provideService(Journal, journal))
        const { identity } = state
        if (identity === null) return yield* new NotFound({ kind: "App", name: appId })
        const newest = state.deploys.at(-1)
        const active = newest !== undefined && !isTerminal(newest.phase) ? newest : undefined
        const [app, row, workflow, build, cluster] = yield* Effect.all(
          [
            activity("App", appId),
            backlog("App", appId),
            active === undefined ? Effect.succeed(null) : runs.status(active.id),
            active?.phase === "building"
              ? runs.build({ buildId: BuildId.make(active.id), workspaceId: identity.workspaceId })
              : Effect.succeed(null),
            clusterFacts(identity.clusterId, appId)
          ],
          { concurrency: "unbounded" }
        )
        return {
          appId,
          nowMs: yield* Clock.currentTimeMillis,
          deploy:
            newest === undefined ? null : { ...publicDeploy(newest), requestedAtMs: newest.requestedAtMs },
          live: liveOf(state),
          copies: copiesOf(state),
          observed: observedOf(state),
          limits,
          build,
          workflow,
          outbox: row,
          activity: app,
          cluster
        }
      })
    })
  })
)
