import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { BuildService } from "@starform/starbase/builds/BuildService"
import type { BuildHandle } from "@starform/starbase/builds/BuildSpec"
import {
  eventually,
  logTexts,
  newWorkspace,
  printed,
  putSource,
  scripted,
  specOf,
  submitted,
  withBuilder
} from "./BuilderHarness.ts"

const slow = scripted("echo begun; sleep 600")

/** Completes when these are the statuses, a queued one with its position. */
const settledAs = (handles: ReadonlyArray<BuildHandle>, wanted: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const builds = yield* BuildService
    let shown = ""
    yield* eventually(
      Effect.map(Effect.forEach(handles, builds.status), (statuses) => {
        shown = statuses
          .map((status) => (status._tag === "Queued" ? `Queued ${status.position}` : status._tag))
          .join()
        return shown === wanted.join()
      }),
      () => shown
    )
  })

describe("HostBuilder turns (INV-BLD-2)", () => {
  it.live("runs two builds at once, and tells the third its place in status and log until it runs", () =>
    withBuilder(
      Effect.gen(function* () {
        const builds = yield* BuildService
        const handles = yield* Effect.forEach([1, 2, 3, 4], () => submitted(slow))
        yield* settledAs(handles, ["Running", "Running", "Queued 1", "Queued 2"])
        yield* builds.cancel(handles[0]!)
        yield* settledAs(handles, ["Cancelled", "Running", "Running", "Queued 1"])
        yield* printed(handles[2]!, "begun")
        yield* Effect.forEach(handles, builds.cancel)
        const waits = (yield* Effect.forEach(handles, logTexts)).map((texts) =>
          texts.filter((text) => text.startsWith("waiting"))
        )
        assert.deepStrictEqual(waits.slice(0, 3), [[], [], ["waiting for a builder: number 1 in line"]])
        assert.strictEqual(waits[3]?.[0], "waiting for a builder: number 2 in line")
      })
    )
  )

  it.live("gives a workspace one slot, and the next free one to who had none, however many wait before", () =>
    withBuilder(
      Effect.gen(function* () {
        const builds = yield* BuildService
        const workspaceId = newWorkspace()
        const many = yield* Effect.forEach([1, 2, 3, 4, 5], () => submitted(slow, { workspaceId }))
        const other = yield* submitted(slow)
        yield* settledAs([...many.slice(0, 2), other], ["Running", "Queued 1", "Running"])
        const late = yield* submitted(slow)
        yield* settledAs(
          [late, ...many.slice(1)],
          ["Queued 1", "Queued 2", "Queued 3", "Queued 4", "Queued 5"]
        )
        yield* builds.cancel(many[0]!)
        yield* settledAs([late, ...many.slice(1, 3)], ["Running", "Queued 1", "Queued 2"])
        yield* Effect.forEach([...many, other, late], builds.cancel)
      })
    )
  )

  it.live("refuses what a workspace has too many of, and takes the builds of others", () =>
    withBuilder(
      Effect.gen(function* () {
        const builds = yield* BuildService
        const workspaceId = newWorkspace()
        const source = yield* putSource(slow)
        const handles = yield* Effect.forEach(Array.from({ length: 21 }), () =>
          builds.submit(specOf(source, { workspaceId }))
        )
        const spec = specOf(source, { workspaceId })
        assert.strictEqual((yield* Effect.flip(builds.submit(spec)))._tag, "WorkspaceQueueFull")
        assert.strictEqual((yield* Effect.flip(builds.await(spec)))._tag, "BuildUnknown")
        const theirs = yield* submitted(slow)
        yield* settledAs([theirs], ["Running"])
        yield* Effect.forEach([...handles.toReversed(), theirs], builds.cancel)
        yield* settledAs([yield* builds.submit(spec)], ["Running"])
        yield* builds.cancel(spec)
      })
    )
  )
})
