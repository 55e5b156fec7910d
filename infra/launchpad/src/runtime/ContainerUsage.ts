/** Processor time and memory of running containers, read from the process table now and then. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { ticksPerSecond, usageOfGroups } from "./internal/processUsage.ts"
import { KubeletConfig } from "./KubeletConfig.ts"

export interface ContainerKey {
  readonly namespace: string
  readonly pod: string
  readonly container: string
}

export interface Measured extends ContainerKey {
  readonly atMs: number
  readonly windowMs: number
  readonly cpuNanos: number
  readonly memoryBytes: number
}

export class ContainerUsage extends Context.Service<
  ContainerUsage,
  {
    /** From the start of a process group until the scope closes. */
    readonly track: (key: ContainerKey, leader: number) => Effect.Effect<void, never, Scope.Scope>
    /** Of every tracked container, `undefined` until it ran for most of a period. */
    readonly latest: Effect.Effect<ReadonlyArray<ContainerKey & { readonly measured: Measured | undefined }>>
  }
>()("@starform/launchpad/runtime/ContainerUsage") {}

interface Tracked {
  readonly key: ContainerKey
  readonly leader: number
  lastMs: number
  lastTicks: number
  measured: Measured | undefined
}

/** Shorter first windows say nothing: metrics-server wants 10 s of its 15 (freshContainerMinMetricsResolution). */
const firstWindowPart = 2 / 3

const nanosPerTick = 1_000_000_000 / ticksPerSecond

const make = Effect.gen(function* () {
  const { usagePeriod } = yield* KubeletConfig
  const firstWindowMs = Duration.toMillis(usagePeriod) * firstWindowPart
  const tracked = new Set<Tracked>()

  const look = Effect.map(Clock.currentTimeMillis, (atMs) => {
    const usage = usageOfGroups([...tracked].map(({ leader }) => leader))
    for (const one of tracked) {
      const found = usage.get(one.leader)
      const windowMs = atMs - one.lastMs
      const windowMsMin = one.measured === undefined ? firstWindowMs : 1
      if (found === undefined || windowMs < windowMsMin) continue
      const ticks = Math.max(0, found.cpuTicks - one.lastTicks)
      one.measured = {
        ...one.key,
        atMs,
        windowMs,
        cpuNanos: Math.round((ticks * nanosPerTick * 1000) / windowMs),
        memoryBytes: found.memoryBytes
      }
      one.lastMs = atMs
      one.lastTicks = found.cpuTicks
    }
  })

  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(usagePeriod), look)))

  return ContainerUsage.of({
    track: (key, leader) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.map(Clock.currentTimeMillis, (lastMs) => {
            const one: Tracked = { key, leader, lastMs, lastTicks: 0, measured: undefined }
            tracked.add(one)
            return one
          }),
          (one) => Effect.sync(() => tracked.delete(one))
        )
      ),
    latest: Effect.sync(() => [...tracked].map(({ key, measured }) => ({ ...key, measured })))
  })
})

/** Needs `KubeletConfig`. */
export const layerNoDeps = Layer.effect(ContainerUsage, make)
