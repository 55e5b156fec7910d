import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as fc from "fast-check"
import { BuildId, WorkspaceId } from "@starform/domain/ids/Ids"
import * as BuildSchedule from "@starform/starbase/builds/BuildSchedule"

const uuid = (prefix: number, n: number) =>
  `${prefix.toString(16).padStart(8, "0")}-0000-4000-8000-${n.toString(16).padStart(12, "0")}`

const workspace = (n: number) => WorkspaceId.make(uuid(1, n))

const build = (n: number, of: number): BuildSchedule.ScheduledBuild => ({
  buildId: BuildId.make(uuid(2, n)),
  workspaceId: workspace(of)
})

const limits: BuildSchedule.ScheduleLimits = {
  runningMax: 2,
  runningPerWorkspaceMax: 1,
  waitingPerWorkspaceMax: 5
}

const entered = (
  builds: ReadonlyArray<BuildSchedule.ScheduledBuild>,
  using = limits
): BuildSchedule.BuildSchedule =>
  builds.reduce(
    (schedule, next) => Result.getOrThrow(BuildSchedule.enter(schedule, next, using)),
    BuildSchedule.empty
  )

/** Ends running builds one after the other and tells in which order all of them started. */
const startOrder = (schedule: BuildSchedule.BuildSchedule, using = limits): ReadonlyArray<string> => {
  const order: Array<string> = schedule.running.map(({ buildId }) => buildId)
  let present = schedule
  while (present.running.length > 0) {
    const [oldest] = present.running
    present = BuildSchedule.leave(present, oldest!.buildId, using)
    for (const { buildId } of present.running) if (!order.includes(buildId)) order.push(buildId)
  }
  return order
}

describe("BuildSchedule", () => {
  it("starts a build at once when a slot is free", () => {
    const schedule = entered([build(1, 1)])
    assert.strictEqual(BuildSchedule.position(schedule, build(1, 1).buildId, limits), 0)
  })

  it("leaves a slot for others when one workspace has many builds", () => {
    const schedule = entered([1, 2, 3, 4].map((n) => build(n, 1)))
    assert.strictEqual(schedule.running.length, 1)
    const after = Result.getOrThrow(BuildSchedule.enter(schedule, build(9, 2), limits))
    assert.isTrue(BuildSchedule.isRunning(after, build(9, 2).buildId))
  })

  it("serves workspaces in turn, not in order of arrival", () => {
    const one = { ...limits, runningMax: 1 }
    const schedule = entered(
      [build(11, 1), build(12, 1), build(13, 1), build(21, 2), build(22, 2), build(31, 3)],
      one
    )
    assert.deepStrictEqual(
      startOrder(schedule, one),
      [build(11, 1), build(21, 2), build(31, 3), build(12, 1), build(22, 2), build(13, 1)].map(
        ({ buildId }) => buildId
      )
    )
  })

  it("tells each waiting build its place", () => {
    const one = { ...limits, runningMax: 1 }
    const schedule = entered([build(11, 1), build(12, 1), build(13, 1), build(21, 2)], one)
    const placeOf = (n: number, of: number) => BuildSchedule.position(schedule, build(n, of).buildId, one)
    assert.deepStrictEqual(
      [placeOf(11, 1), placeOf(21, 2), placeOf(12, 1), placeOf(13, 1), placeOf(99, 9)],
      [0, 1, 2, 3, undefined]
    )
  })

  it("refuses a build beyond the workspace's limit and takes others' builds", () => {
    const schedule = entered([1, 2, 3, 4, 5, 6].map((n) => build(n, 1)))
    const refused = BuildSchedule.enter(schedule, build(7, 1), limits)
    assert.isTrue(Result.isFailure(refused) && refused.failure._tag === "WorkspaceQueueFull")
    assert.isTrue(Result.isSuccess(BuildSchedule.enter(schedule, build(8, 2), limits)))
  })

  it("starts the next one when a waiting or a running build leaves", () => {
    const schedule = entered([build(1, 1), build(2, 1), build(3, 1)])
    const without = BuildSchedule.leave(schedule, build(2, 1).buildId, limits)
    assert.deepStrictEqual(startOrder(without), [build(1, 1).buildId, build(3, 1).buildId])
  })

  const commands = fc.array(
    fc.record({ workspace: fc.integer({ min: 1, max: 4 }), ends: fc.boolean(), pick: fc.nat(7) }),
    { maxLength: 60 }
  )
  const anyLimits = fc.record({
    runningMax: fc.integer({ min: 1, max: 4 }),
    runningPerWorkspaceMax: fc.integer({ min: 1, max: 3 }),
    waitingPerWorkspaceMax: fc.integer({ min: 0, max: 5 })
  })

  it("never breaks a limit, never idles while someone could run, never loses a build", () => {
    fc.assert(
      fc.property(commands, anyLimits, (steps, using) => {
        let schedule = BuildSchedule.empty
        const present = new Set<string>()
        steps.forEach((step, n) => {
          const all = [...schedule.running, ...schedule.waiting]
          const leaving = step.ends ? all[step.pick % Math.max(1, all.length)] : undefined
          if (leaving !== undefined) {
            schedule = BuildSchedule.leave(schedule, leaving.buildId, using)
            present.delete(leaving.buildId)
          } else {
            const added = build(n, step.workspace)
            const result = BuildSchedule.enter(schedule, added, using)
            if (Result.isSuccess(result)) {
              schedule = result.success
              present.add(added.buildId)
            }
          }
          const countIn = (builds: ReadonlyArray<BuildSchedule.ScheduledBuild>, of: WorkspaceId) =>
            builds.filter(({ workspaceId }) => workspaceId === of).length
          const { running, waiting } = schedule
          assert.isAtMost(running.length, using.runningMax)
          for (const { workspaceId } of [...running, ...waiting]) {
            assert.isAtMost(countIn(running, workspaceId), using.runningPerWorkspaceMax)
            assert.isAtMost(countIn(waiting, workspaceId), using.waitingPerWorkspaceMax)
          }
          const isIdle = running.length < using.runningMax
          const couldRun = waiting.some(
            ({ workspaceId }) => countIn(running, workspaceId) < using.runningPerWorkspaceMax
          )
          assert.isFalse(isIdle && couldRun)
          assert.deepStrictEqual(
            [...running, ...waiting].map(({ buildId }) => buildId as string).sort(),
            [...present].sort()
          )
        })
      })
    )
  })

  it("lets no workspace wait for more than one build of each other per slot (INV-BLD-2)", () => {
    let unfairWaits = 0
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 20 }), (owners) => {
        const one = { runningMax: 1, runningPerWorkspaceMax: 1, waitingPerWorkspaceMax: 100 }
        const builds = owners.map((owner, n) => build(n, owner))
        const order = startOrder(entered(builds, one), one)
        const ownerOf = new Map(builds.map(({ buildId, workspaceId }) => [buildId as string, workspaceId]))
        const served = order.map((buildId) => ownerOf.get(buildId)!)
        for (const owner of new Set(served)) {
          const turns = served.flatMap((other, place) => (other === owner ? [place] : []))
          for (const [nth, place] of turns.entries()) {
            const previous = turns[nth - 1] ?? 0
            const between = served.slice(previous, place)
            const others = between.filter((other) => other !== owner)
            if (nth > 0) unfairWaits += others.length - new Set(others).size
          }
        }
      })
    )
    assert.strictEqual(unfairWaits, 0)
  })
})
