/** Moves the branches of pushes that went live with nobody waiting for them (INV-GIT-2). Level-driven, a singleton. */
import { AppId } from "@starform/domain/ids/AppId"
import { CommitSha } from "@starform/domain/ids/Digest"
import { DeployId, ProjectId, RequestId } from "@starform/domain/ids/Ids"
import { Slug } from "@starform/domain/ids/Slug"
import type { Principal } from "@starform/domain/model/Principal"
import * as Singleton from "effect/cluster/Singleton"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { EntityClients } from "../entities/EntityClients.ts"
import { ReadModels } from "../journal/ReadModels.ts"
import { GitRepositories } from "./GitRepositories.ts"

export const moveInterval = Duration.seconds(2)

const principal: Principal = { _tag: "System", part: "git" }

const DueBranch = Schema.Struct({
  appId: AppId,
  deployId: DeployId,
  commit: CommitSha,
  ref: Schema.String,
  identity: Schema.Struct({ projectId: ProjectId, serviceSlug: Slug })
})

const decodeDue = Schema.decodeUnknownEffect(Schema.Array(DueBranch))

/** One round. Deploy ids grow with time, so a later deploy of the same branch has the last word. */
export const sweep = Effect.gen(function* () {
  const models = yield* ReadModels
  const repositories = yield* GitRepositories
  const entities = yield* EntityClients
  const due = yield* Effect.flatMap(models.list("branch", "due"), decodeDue)
  yield* Effect.forEach(due, ({ appId, deployId, commit, ref, identity }) =>
    repositories
      .moveBranch({ projectId: identity.projectId, service: identity.serviceSlug }, ref, commit)
      .pipe(
        Effect.andThen(
          entities.app(appId, (app) =>
            app.SettleBranch({ requestId: RequestId.make(`branch:${deployId}`), principal, deployId })
          )
        ),
        Effect.catch((error) => Effect.logWarning(`branch of deploy ${deployId} not moved`, error))
      )
  )
  return due.length
})

export const layerNoDeps = Singleton.make(
  "BranchMover",
  sweep.pipe(
    Effect.catch((error) => Effect.logWarning("branch mover", error)),
    Effect.repeat(Schedule.spaced(moveInterval)),
    Effect.asVoid
  )
)
