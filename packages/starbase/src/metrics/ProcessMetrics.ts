/** What this process uses, read when somebody asks. */
import { monitorEventLoopDelay } from "node:perf_hooks"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { processCpuSeconds, processGauges } from "./StarbaseMetrics.ts"

/** Milliseconds between two looks at the event loop: 50 wake-ups a second, about 0.1 % of a core. */
const resolution = 20

const nanosecond = 1e-9
const microsecond = 1e-6

/** Watches the event loop for as long as the scope lives. `collect` sets the gauges. */
export const make = Effect.gen(function* () {
  const delay = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const histogram = monitorEventLoopDelay({ resolution })
      histogram.enable()
      return histogram
    }),
    (histogram) => Effect.sync(() => histogram.disable())
  )
  let countedSeconds = 0
  /** The histogram counts whole intervals; a delay is what is beyond one. */
  const beyond = (nanoseconds: number) => Math.max(0, nanoseconds * nanosecond - resolution / 1000)
  const collect = Effect.gen(function* () {
    const { rss, heapUsed } = process.memoryUsage()
    const { user, system } = process.cpuUsage()
    yield* Metric.update(processGauges.residentBytes, rss)
    yield* Metric.update(processGauges.heapUsedBytes, heapUsed)
    const cpuSeconds = (user + system) * microsecond
    yield* Metric.update(processCpuSeconds, cpuSeconds - countedSeconds)
    countedSeconds = cpuSeconds
    if (delay.count === 0) return
    yield* Metric.update(processGauges.eventLoopDelayP50, beyond(delay.percentile(50)))
    yield* Metric.update(processGauges.eventLoopDelayP99, beyond(delay.percentile(99)))
    yield* Metric.update(processGauges.eventLoopDelayMax, beyond(delay.max))
    delay.reset()
  })
  return { collect }
})
