import { spawn } from "node:child_process"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { BuildService } from "@starform/starbase/builds/BuildService"
import { temporaryFolder } from "../images/TemporaryFolder.ts"
import {
  logTexts,
  markedProcesses,
  printed,
  scripted,
  submitted,
  withBuilder,
  withBuilderIn
} from "./BuilderHarness.ts"

const processesOfUser = (uid: number) =>
  Effect.promise(async () => {
    const pids = (await Fs.readdir("/proc")).filter((name) => /^\d+$/.test(name))
    const statuses = await Promise.all(
      pids.map((pid) => Fs.readFile(`/proc/${pid}/status`, "utf8").catch(() => ""))
    )
    return statuses.filter(
      (status) => new RegExp(`^Uid:\\s+${uid}\\s`, "m").test(status) && !/^State:\s+Z/m.test(status)
    )
  })

describe("HostBuilder processes", () => {
  it.live(
    "ends every process of a cancelled build, also those that left its group (INV-BLD-3, INV-HBL-2)",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        yield* withBuilderIn(
          folder,
          Effect.gen(function* () {
            const builds = yield* BuildService
            const script =
              "trap '' TERM; sleep 600.1 & setsid sh -c 'setsid sleep 600.2 & sleep 600.3' & sleep 0.1; echo ready; sleep 600.4"
            const handle = yield* submitted(scripted(script))
            yield* printed(handle, "ready")
            const processes = markedProcesses(`${folder}/builder/${handle.buildId}`)
            assert.isAtLeast((yield* processes).length, 5)
            const waiting = yield* Effect.forkChild(Effect.flip(builds.await(handle)))
            yield* builds.cancel(handle)
            assert.deepStrictEqual(yield* processes, [])
            assert.strictEqual((yield* Fiber.join(waiting))._tag, "BuildCancelled")
            assert.strictEqual((yield* builds.status(handle))._tag, "Cancelled")
            assert.deepStrictEqual(
              yield* Effect.promise(() => Fs.readdir(join(folder, "builder", "work"))),
              []
            )
            yield* builds.cancel(handle)
          })
        )
      })
  )

  it.live(
    "ends also what cleared its environment, hides its memory, or goes on multiplying (INV-HBL-2)",
    (context) => {
      if (process.getuid?.() !== 0) return context.skip("only root finds a build's processes by their user")
      return withBuilder(
        Effect.gen(function* () {
          const builds = yield* BuildService
          const script = [
            "cp /bin/sleep hidden; chmod 0111 hidden",
            "env -i /usr/bin/setsid ./hidden 600.1 &",
            "env -i /usr/bin/setsid /bin/sh -c 'while :; do setsid sleep 600.2 & sleep 0.01; done' &",
            "sleep 0.2; echo uid=$(id -u); echo ready; sleep 600.3"
          ].join("\n")
          const handle = yield* submitted(scripted(script))
          yield* printed(handle, "ready")
          const waiting = yield* Effect.forkChild(logTexts(handle))
          const uid = yield* Effect.promise(async () => {
            const owners = await Promise.all(
              (await Fs.readdir("/proc"))
                .filter((name) => /^\d+$/.test(name))
                .map(async (pid) => {
                  const command = await Fs.readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")
                  const status = await Fs.readFile(`/proc/${pid}/status`, "utf8").catch(() => "")
                  return command.startsWith("./hidden") ? [Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])] : []
                })
            )
            return owners.flat()[0] ?? -1
          })
          assert.isAtLeast((yield* processesOfUser(uid)).length, 5)
          yield* builds.cancel(handle)
          assert.deepStrictEqual(yield* processesOfUser(uid), [])
          assert.include(yield* Fiber.join(waiting), `uid=${uid}`)
        })
      )
    }
  )

  it.live("ends what a step left running in the background before it packs (INV-HBL-2)", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* withBuilderIn(
        folder,
        Effect.gen(function* () {
          const handle = yield* submitted(scripted("sleep 600.4 & setsid sleep 600.5 & echo done"))
          yield* (yield* BuildService).await(handle)
          assert.deepStrictEqual(yield* markedProcesses(`${folder}/builder/${handle.buildId}`), [])
        })
      )
    })
  )

  it.live("ends processes and removes folders that a crashed builder left behind", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const work = join(folder, "builder", "work", "left.behind")
      const isRoot = process.getuid?.() === 0
      yield* Effect.promise(async () => {
        await Fs.mkdir(join(work, "app"), { recursive: true })
        if (isRoot) await Fs.chown(join(work, "app"), 1_999_998, 1_999_998)
      })
      const orphan = (arguments_: ReadonlyArray<string>, options: object) => {
        const child = spawn("/bin/sleep", arguments_, { stdio: "ignore", detached: true, ...options })
        return new Promise<string | null>((resolve) => child.once("exit", (_, name) => resolve(name)))
      }
      const marked = orphan(["600.6"], { env: { STARFORM_BUILD_MARK: `${folder}/builder/some-build` } })
      const owned = isRoot
        ? orphan(["600.7"], { cwd: "/", env: {}, uid: 1_999_998, gid: 1_999_998 })
        : Promise.resolve("SIGKILL")
      yield* withBuilderIn(folder, BuildService)
      assert.deepStrictEqual(yield* Effect.promise(() => Promise.all([marked, owned])), [
        "SIGKILL",
        "SIGKILL"
      ])
      assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(join(folder, "builder", "work"))), [])
    })
  )
})
