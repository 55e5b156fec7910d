/** The public RPC on build logs: which build, and the lines of it, for whoever may read the app. */
import { NotFound, Unavailable } from "@starform/domain/errors/RequestErrors"
import type { AppId } from "@starform/domain/ids/AppId"
import { BuildId, type DeployId } from "@starform/domain/ids/Ids"
import type { BuildLogLine } from "@starform/domain/model/BuildLogLine"
import { type Deploy, isTerminal } from "@starform/domain/model/Deploy"
import { CurrentPrincipal } from "@starform/domain/model/Principal"
import { BuildLogRpcs } from "@starform/domain/protocol/BuildLogRpcs"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { BuildLog } from "../builds/BuildLog.ts"
import type { AppState, DeployRecord } from "../entities/app/AppEntity.ts"
import { EntityClients } from "../entities/EntityClients.ts"
import * as Schedules from "../Schedules.ts"
import { Directory } from "./Directory.ts"

/** How long one ask for the end of a deploy is parked before it is repeated. */
const endAskMax = Duration.seconds(30)

const chosenDeploy = (state: AppState, deployId: DeployId | null): DeployRecord | undefined =>
  deployId === null
    ? state.deploys.findLast(({ kind }) => kind === "push")
    : state.deploys.find(({ id }) => id === deployId)

/** The build whose log a deploy has; `undefined` when its release is so old that it was forgotten. */
const buildOf = (state: AppState, deploy: DeployRecord): BuildId | undefined =>
  deploy.kind === "push"
    ? BuildId.make(deploy.id)
    : state.releases.find(({ id }) => id === deploy.releaseId)?.provenance.buildId

export const layerNoDeps = BuildLogRpcs.toLayer(
  Effect.gen(function* () {
    const entities = yield* EntityClients
    const directory = yield* Directory
    const logs = yield* BuildLog

    /** Completes when the deploy has ended, or when nobody knows it any more. */
    const ended = (appId: AppId, deployId: DeployId) => {
      const next = (phasesSeen: number): Effect.Effect<void> =>
        entities
          .app(
            appId,
            (app) => app.AwaitDeploy({ deployId, phasesSeen, waitMs: Duration.toMillis(endAskMax) }),
            endAskMax
          )
          .pipe(
            Effect.retry(Schedules.watcherWaits),
            Effect.flatMap((deploy: Deploy) =>
              isTerminal(deploy.phase) ? Effect.void : next(deploy.phases.length)
            ),
            Effect.ignore
          )
      return next(0)
    }

    /**
     * Live until the log's last chunk. A deploy can end without one (cancelled before it was built, a builder that
     * died): then what is written by then is the rest.
     */
    const follow = (buildId: BuildId, fromChunk: number, end: Effect.Effect<void>) =>
      Stream.suspend(() => {
        let seen = { chunk: fromChunk, index: -1 }
        const isNew = ({ chunk, index }: BuildLogLine) =>
          chunk > seen.chunk || (chunk === seen.chunk && index > seen.index)
        return logs.follow(buildId, fromChunk).pipe(
          Stream.interruptWhen(end),
          Stream.tap((line) =>
            Effect.sync(() => {
              seen = line
            })
          ),
          Stream.concat(Stream.suspend(() => logs.present(buildId, seen.chunk).pipe(Stream.filter(isNew))))
        )
      })

    return BuildLogRpcs.of({
      FollowBuildLog: ({ app, deployId, fromChunk, follow: isFollowed }) =>
        Stream.unwrap(
          Effect.gen(function* () {
            const located = yield* directory.app(yield* CurrentPrincipal, app, "read")
            const state = yield* entities.app(located.appId, (entity) => entity.GetApp())
            const deploy = chosenDeploy(state, deployId)
            const buildId = deploy === undefined ? undefined : buildOf(state, deploy)
            if (deploy === undefined || buildId === undefined) {
              return yield* new NotFound({ kind: "build", name: deployId ?? "newest" })
            }
            const isOver = isTerminal(deploy.phase) || deploy.kind !== "push"
            const lines =
              isFollowed && !isOver
                ? follow(buildId, fromChunk, ended(located.appId, deploy.id))
                : logs.present(buildId, fromChunk)
            return Stream.mapError(lines, () => new Unavailable({ what: "build log" }))
          })
        )
    })
  })
)
