import { assert, describe, it } from "@effect/vitest"
import * as ContainerUsage from "@starform/launchpad/runtime/ContainerUsage"
import * as KubeletConfig from "@starform/launchpad/runtime/KubeletConfig"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { spawn } from "node:child_process"
import * as fs from "node:fs"

const key = { namespace: "shop", pod: "web", container: "app" }

const layer = ContainerUsage.layerNoDeps.pipe(Layer.provide(KubeletConfig.layer({ directory: "unused" })))

/** The leader of a process group of its own, killed with all of it. */
const shell = (script: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { pid } = spawn("sh", ["-c", script], { detached: true, stdio: "ignore" })
      return pid ?? assert.fail("no shell")
    }),
    (pid) => Effect.sync(() => process.kill(-pid, "SIGKILL"))
  )

/** State, parent and clock ticks of every process (proc(5)). */
const processes = () =>
  fs.readdirSync("/proc").flatMap((pid) => {
    try {
      const text = fs.readFileSync(`/proc/${pid}/stat`, "latin1")
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
      const [state, parent] = fields
      return [{ state, parent: Number(parent), ticks: Number(fields[11]) + Number(fields[12]) }]
    } catch {
      return []
    }
  })

/** In real time, whatever the clock of the test says. */
const eventually = <A>(what: string, look: () => A | undefined) =>
  Effect.promise(async () => {
    for (const end = Date.now() + 20_000; Date.now() < end;) {
      const found = look()
      if (found !== undefined) return found
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return assert.fail(what)
  })

const measured = Effect.flatMap(ContainerUsage.ContainerUsage, ({ latest }) =>
  Effect.map(latest, ([first]) => first?.measured)
)

describe.skipIf(process.platform !== "linux")("ContainerUsage", () => {
  it.effect("measures a container once it ran for most of a period, then in every period", () =>
    Effect.gen(function* () {
      const usage = yield* ContainerUsage.ContainerUsage
      const leader = yield* shell("exec sleep 60")
      yield* TestClock.adjust("6 seconds")
      yield* usage.track(key, leader)
      yield* TestClock.adjust("9 seconds")
      assert.isUndefined(yield* measured, "nine seconds are no window")
      yield* TestClock.adjust("15 seconds")
      assert.deepInclude(yield* measured, { ...key, atMs: 30_000, windowMs: 24_000 })
      assert.isAbove((yield* measured)?.memoryBytes ?? 0, 0)
      yield* TestClock.adjust("15 seconds")
      assert.deepInclude(yield* measured, { atMs: 45_000, windowMs: 15_000 })
    }).pipe(Effect.scoped, Effect.provide(layer))
  )

  it.effect("counts the processor time of a child that has ended and that nobody waits for", () =>
    Effect.gen(function* () {
      const usage = yield* ContainerUsage.ContainerUsage
      const leader = yield* shell("(i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done) & exec sleep 60")
      yield* usage.track(key, leader)
      const ticks = yield* eventually("the child has ended", () => {
        const ended = processes().find(({ parent, state }) => parent === leader && state === "Z")
        return ended?.ticks
      })
      assert.isAbove(ticks, 0)
      yield* TestClock.adjust("15 seconds")
      const nanosPerTick = 1e9 / 100
      assert.isAtLeast((yield* measured)?.cpuNanos ?? 0, Math.floor((ticks * nanosPerTick) / 15))
    }).pipe(Effect.scoped, Effect.provide(layer))
  )
})
