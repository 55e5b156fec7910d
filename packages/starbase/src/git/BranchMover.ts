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

const decodeDue = Schema.decodeUnknownEffect(DueBranch)

/** Branches that are moved side by side: one that takes its time holds up nobody else's. */
const movesAtOnce = 8

/** One branch; the next round tries again. */
export const moveMax = Duration.seconds(30)

/** Whatever goes wrong with one branch is its own. */
const move = (row: unknown) =>
  Effect.gen(function* () {
    const settlement = yield* BranchSettlement
    const { appId, ref, identity } = yield* decodeDue(row)
    const repository = { projectId: identity.projectId, service: identity.serviceSlug }
    yield* settlement.follow({ appId, ref, repository }).pipe(
      Effect.timeout(moveMax),
      Effect.catchCause((cause) => Effect.logWarning(`${ref} of app ${appId} not moved`, cause))
    )
  }).pipe(
    Effect.catchTag("SchemaError", (error) => Effect.logError("a branch that is due cannot be read", error))
  )

/** One round: every branch that a live push left behind. */
export const sweep = Effect.gen(function* () {
  const models = yield* ReadModels
  const due = yield* models.list("branch", "due")
  yield* Effect.forEach(due, move, { concurrency: movesAtOnce, discard: true })
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
