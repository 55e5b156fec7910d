/** The sweep over branches that a live push left behind; what moves one is somebody else's test. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { AppId } from "@starform/domain/ids/AppId"
import { BranchSettlement } from "@starform/starbase/git/BranchSettlement"
import { moveMax, sweep } from "@starform/starbase/git/BranchMover"
import { GitFailed } from "@starform/starbase/git/GitProcess"
import { Journal } from "@starform/starbase/journal/Journal"
import * as JournalMemory from "@starform/starbase/journal/JournalMemory"
import * as Specimens from "../entities/Specimens.ts"
import { append, entity } from "../journal/Appends.ts"

const due = Effect.fnUntraced(function* (key: string, row: object) {
  const journal = yield* Journal
  yield* journal.append(entity(), append({ rows: [{ model: "branch", key, parent: "due", row }] }))
})

const branchOf = (n: number) => {
  const { appId, projectId, serviceSlug } = Specimens.identity(n)
  return { appId, ref: "refs/heads/main", identity: { projectId, serviceSlug } }
}

it.effect("a branch that fails, does not end or cannot be read holds up no other", () => {
  const moved: Array<AppId> = []
  const settlement = Layer.succeed(BranchSettlement, {
    follow: ({ appId }) => {
      if (appId === branchOf(1).appId) return Effect.never
      if (appId === branchOf(2).appId)
        return new GitFailed({ command: "update-ref", output: "the disk is full" })
      return Effect.sync(() => void moved.push(appId))
    },
    lead: () => Effect.die("nobody pushes here")
  })
  return Effect.gen(function* () {
    yield* due("0", { of: "another version" })
    for (const n of [1, 2, 3]) yield* due(String(n), branchOf(n))
    const round = yield* Effect.forkChild(sweep, { startImmediately: true })
    yield* Effect.yieldNow
    assert.deepStrictEqual(moved, [branchOf(3).appId])
    yield* TestClock.adjust(moveMax)
    yield* Fiber.join(round)
  }).pipe(Effect.provide(Layer.merge(JournalMemory.layer, settlement)))
})
