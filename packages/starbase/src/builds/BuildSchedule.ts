/** Who builds next: pure. The rules are INV-BLD-2 in the README. */
import * as Result from "effect/Result"
import type { BuildId, WorkspaceId } from "@starform/domain/ids/Ids"
import { WorkspaceQueueFull } from "./BuildErrors.ts"

export interface ScheduledBuild {
  readonly buildId: BuildId
  readonly workspaceId: WorkspaceId
}

export interface ScheduleLimits {
  /** Builds that run at once; at least 1. */
  readonly runningMax: number
  /** Of these, how many one workspace may have; below `runningMax`, so that no workspace can take every slot. */
  readonly runningPerWorkspaceMax: number
  readonly waitingPerWorkspaceMax: number
}

export interface BuildSchedule {
  /** In order of their start. */
  readonly running: ReadonlyArray<ScheduledBuild>
  /** In order of arrival. */
  readonly waiting: ReadonlyArray<ScheduledBuild>
  /** Number of the start that each present workspace had last; absent when it had none. */
  readonly served: ReadonlyMap<WorkspaceId, number>
  /** Starts so far. */
  readonly starts: number
}

export const empty: BuildSchedule = { running: [], waiting: [], served: new Map(), starts: 0 }

const countOf = (builds: ReadonlyArray<ScheduledBuild>, workspaceId: WorkspaceId): number =>
  builds.filter((build) => build.workspaceId === workspaceId).length

const candidate = (schedule: BuildSchedule, limits: ScheduleLimits): ScheduledBuild | undefined => {
  if (schedule.running.length >= limits.runningMax) return undefined
  let best: ScheduledBuild | undefined
  let bestRank: readonly [running: number, served: number] = [Infinity, Infinity]
  for (const build of schedule.waiting) {
    const running = countOf(schedule.running, build.workspaceId)
    const served = schedule.served.get(build.workspaceId) ?? 0
    const isBetter = running < bestRank[0] || (running === bestRank[0] && served < bestRank[1])
    if (running < limits.runningPerWorkspaceMax && isBetter) {
      best = build
      bestRank = [running, served]
    }
  }
  return best
}

const started = (schedule: BuildSchedule, limits: ScheduleLimits): BuildSchedule => {
  const next = candidate(schedule, limits)
  if (next === undefined) return schedule
  const starts = schedule.starts + 1
  return started(
    {
      running: [...schedule.running, next],
      waiting: schedule.waiting.filter((build) => build !== next),
      served: new Map(schedule.served).set(next.workspaceId, starts),
      starts
    },
    limits
  )
}

/** Adds a build that is not in the schedule yet, and starts what can start. */
export const enter = (
  schedule: BuildSchedule,
  build: ScheduledBuild,
  limits: ScheduleLimits
): Result.Result<BuildSchedule, WorkspaceQueueFull> => {
  const after = started({ ...schedule, waiting: [...schedule.waiting, build] }, limits)
  const isWithin = countOf(after.waiting, build.workspaceId) <= limits.waitingPerWorkspaceMax
  if (isWithin || isRunning(after, build.buildId)) return Result.succeed(after)
  const { workspaceId } = build
  return Result.fail(new WorkspaceQueueFull({ workspaceId, waitingMax: limits.waitingPerWorkspaceMax }))
}

/** Takes a build out, wherever it is, and starts what can start. */
export const leave = (schedule: BuildSchedule, buildId: BuildId, limits: ScheduleLimits): BuildSchedule => {
  const running = schedule.running.filter((build) => build.buildId !== buildId)
  const waiting = schedule.waiting.filter((build) => build.buildId !== buildId)
  const present = new Set([...running, ...waiting].map((build) => build.workspaceId))
  const served = new Map([...schedule.served].filter(([workspaceId]) => present.has(workspaceId)))
  return started({ ...schedule, running, waiting, served }, limits)
}

export const isRunning = (schedule: BuildSchedule, buildId: BuildId): boolean =>
  schedule.running.some((build) => build.buildId === buildId)

/**
 * 0 when it runs; n when it is the nth to start, if running builds end in the order of their start and nothing else
 * arrives; `undefined` when it is not in the schedule.
 */
export const position = (
  schedule: BuildSchedule,
  buildId: BuildId,
  limits: ScheduleLimits
): number | undefined => {
  if (isRunning(schedule, buildId)) return 0
  if (!schedule.waiting.some((build) => build.buildId === buildId)) return undefined
  let future = schedule
  while (!isRunning(future, buildId)) {
    const [oldest] = future.running
    if (oldest === undefined) return undefined
    future = leave(future, oldest.buildId, limits)
  }
  const start = future.running.findIndex((build) => build.buildId === buildId)
  return future.starts - schedule.starts - (future.running.length - 1 - start)
}
