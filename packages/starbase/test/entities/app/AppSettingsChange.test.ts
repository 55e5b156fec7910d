import { assert, describe, it } from "@effect/vitest"
import { ProcessName } from "@starform/domain/ids/Slug"
import type { Autoscaling } from "@starform/domain/model/Autoscaling"
import { appHashInput } from "@starform/domain/desired/DocumentHash"
import * as Deploys from "@starform/starbase/entities/app/AppDeploys"
import * as Settings from "@starform/starbase/entities/app/AppSettingsChange"
import { type AppEvent, type AppState, evolve, initial } from "@starform/starbase/entities/app/AppState"
import { Result } from "effect"
import * as Specimens from "../Specimens.ts"

const nowMs = 1_700_000_000_000
const requester = { deployId: Specimens.deployId(1), requestedBy: "operator" }
const { web } = Specimens
const cron = ProcessName.make("cron")

const after = (state: AppState, events: ReadonlyArray<AppEvent>) => events.reduce(evolve, state)

const created = (serviceType: "web" | "cron" = "web"): AppState =>
  evolve(initial(), { _tag: "AppCreated", identity: { ...Specimens.identity(1), serviceType } })

/** The state after a change that must be allowed. */
const changed = (state: AppState, change: ReturnType<typeof Settings.setScale>): AppState =>
  after(state, Result.getOrThrow(change).events)

const refusal = (change: ReturnType<typeof Settings.setScale>): string => {
  const error = Result.getOrThrow(Result.flip(change))
  return error._tag === "InvalidInput" ? `${error.field}: ${error.problem}` : error._tag
}

const between: Autoscaling = { minReplicas: 2, maxReplicas: 6, cpuPercent: 70, memoryPercent: null }

const autoscaled = (state: AppState, autoscaling: Autoscaling | null = between, process = web) =>
  Settings.setAutoscaling(state, { ...requester, process, autoscaling }, nowMs)

const scaledTo = (state: AppState, replicas: number, process = web) =>
  Settings.setScale(state, { ...requester, process, replicas }, nowMs)

const scheduledAt = (state: AppState, expression: string) =>
  Settings.setSchedule(
    state,
    { ...requester, schedule: { expression, timeZone: null, concurrency: "forbid" } },
    nowMs
  )

/** What the app's cluster would be told of a release with these processes. */
const entryOf = (state: AppState, names: ReadonlyArray<string> = ["web"]) => {
  const push = { ...Specimens.push(requester.deployId), ...requester }
  const processes = names.map((name) => ({ name: ProcessName.make(name), command: ["node"] }))
  const built = { ...Specimens.built(requester.deployId), processes }
  let now = after(state, Result.getOrThrow(Deploys.acceptPush(state, push, nowMs)).events)
  now = after(now, Result.getOrThrow(Deploys.startBuild(now, requester, nowMs)).events)
  now = after(now, Result.getOrThrow(Deploys.recordRelease(now, built, nowMs)).events)
  now = after(now, Result.getOrThrow(Deploys.startRollout(now, requester, nowMs)).events)
  return now.desired!
}

describe("setAutoscaling", () => {
  it("is part of what the cluster is told, and is left out of it where nobody asked for it", () => {
    const entry = entryOf(changed(created(), autoscaled(created())), ["web", "worker"])
    assert.deepStrictEqual(
      entry.processes.map(({ autoscaling }) => autoscaling),
      [between, undefined]
    )
    const plain = entryOf(created())
    for (const later of ["autoscaling", "schedule", "databases", "varGroups"]) {
      assert.notInclude(appHashInput({ ...plain, variables: [] }), later)
    }
  })

  it("keeps the copies that were set within its numbers, and leaves them when it is turned off", () => {
    const copies = (state: AppState) => state.settings.scale.find(({ process }) => process === web)?.replicas
    for (const [before, then] of [
      [1, 2],
      [4, 4],
      [50, 6]
    ] as const) {
      const state = changed(created(), scaledTo(created(), before))
      const on = changed(state, autoscaled(state))
      assert.strictEqual(copies(on), then)
      const off = changed(on, autoscaled(on, null))
      assert.strictEqual(copies(off), then)
      assert.notProperty(off.settings, "autoscaling")
    }
  })

  it("refuses numbers that cannot be, and copies by hand beside it", () => {
    assert.match(refusal(autoscaled(created(), { ...between, minReplicas: 7 })), /fewest copies/)
    assert.match(refusal(autoscaled(created(), { ...between, cpuPercent: null })), /share of CPU or memory/)
    const on = changed(created(), autoscaled(created()))
    assert.match(refusal(scaledTo(on, 3)), /"web" scales by itself/)
    assert.isTrue(Result.isSuccess(scaledTo(on, 3, ProcessName.make("worker"))))
  })

  it("refuses what runs on a schedule", () => {
    assert.match(refusal(autoscaled(created("cron"))), /runs on a schedule/)
  })
})

describe("setSchedule", () => {
  it("is part of what the cluster is told of a service of type cron, with one copy of what it runs", () => {
    const state = changed(created("cron"), scheduledAt(created("cron"), "@daily"))
    const entry = entryOf(state, ["cron", "other"])
    assert.deepStrictEqual(entry.schedule, { expression: "@daily", timeZone: null, concurrency: "forbid" })
    assert.deepStrictEqual(
      entry.processes.map(({ replicas }) => replicas),
      [1, 0]
    )
    assert.deepStrictEqual(
      entryOf(state, ["job"]).processes.map(({ replicas }) => replicas),
      [1]
    )
  })

  it("is suspended by no copies", () => {
    const state = changed(created("cron"), scaledTo(created("cron"), 0, cron))
    assert.strictEqual(entryOf(state, ["cron"]).processes[0]?.replicas, 0)
  })

  it("is refused for every other service", () => {
    assert.match(refusal(scheduledAt(created(), "@daily")), /services of type cron; this one is web/)
  })
})
