/** Moves the branches of pushes that went live with nobody waiting for them (INV-GIT-2). Level-driven, a singleton. */
import { AppId } from "@starform/domain/ids/AppId"
import { ProjectId } from "@starform/domain/ids/Ids"
import { Slug } from "@starform/domain/ids/Slug"
import * as Singleton from "effect/cluster/Singleton"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { ReadModels } from "../journal/ReadModels.ts"
import { BranchSettlement } from "./BranchSettlement.ts"

export const moveInterval = Duration.seconds(2)

const DueBranch = Schema.Struct({
  appId: AppId,
  ref: Schema.String,
  identity: Schema.Struct({ projectId: ProjectId, serviceSlug: Slug })
})

const decodeDue = Schema.decodeUnknownEffect(Schema.Array(DueBranch))

/** One round: every branch that a live push left behind. */
export const sweep = Effect.gen(function* () {
  const models = yield* ReadModels
  const settlement = yield* BranchSettlement
  const due = yield* Effect.flatMap(models.list("branch", "due"), decodeDue)
  yield* Effect.forEach(due, ({ appId, ref, identity }) =>
    settlement
      .follow({ appId, ref, repository: { projectId: identity.projectId, service: identity.serviceSlug } })
      .pipe(Effect.catch((error) => Effect.logWarning(`${ref} of app ${appId} not moved`, error)))
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
