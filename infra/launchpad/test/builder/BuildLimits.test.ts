import { spawnSync } from "node:child_process"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { BuildService } from "@starform/starbase/builds/BuildService"
import { temporaryFolder } from "../images/TemporaryFolder.ts"
import {
  failureOf,
  logTexts,
  markedProcesses,
  scripted,
  type Settings,
  type SourceFiles,
  submitted,
  withBuilder,
  withBuilderIn
} from "./BuilderHarness.ts"

const failure = (files: SourceFiles, settings: Settings) =>
  withBuilder(Effect.flatMap(submitted(files), failureOf), settings)

/** A builder whose folder is a file system of this size, made for the test; fails with the reason when none can be made. */
const withDisk = <A, E, R>(sizeMiB: number, run: Effect.Effect<A, E, R>, settings: Settings) =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const directory = join(folder, "builder")
    yield* Effect.promise(() => Fs.mkdir(directory))
    const mount = () =>
      spawnSync("mount", ["-t", "tmpfs", "-o", `size=${sizeMiB}m,mode=0711`, "tmpfs", directory], {
        encoding: "utf8"
      })
    yield* Effect.acquireRelease(
      Effect.suspend(() => {
        const { status, stderr } = mount()
        return status === 0 ? Effect.void : Effect.fail(`no small file system can be mounted: ${stderr}`)
      }),
      () => Effect.sync(() => spawnSync("umount", [directory]))
    )
    return yield* withBuilderIn(folder, run, settings)
  })

/** Whether this process may mount at all; the printed reason of a skip otherwise. */
const noMount = (): string | undefined => {
  if (process.getuid?.() !== 0) return "only root can mount a small file system"
  const { status, stderr } = spawnSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], {
    encoding: "utf8"
  })
  return status === 0 ? undefined : `no file system can be mounted here: ${stderr}`
}

describe("HostBuilder limits (INV-HBL-4)", () => {
  it.live("stops a step that does not end, and everything that it started", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* withBuilderIn(
        folder,
        Effect.gen(function* () {
          const handle = yield* submitted(scripted("echo serving; setsid sleep 600 & sleep 600"))
          const { code, reason, output } = yield* failureOf(handle)
          assert.strictEqual(code, "StepTimedOut")
          assert.include(reason, "did not end within 500ms and was stopped")
          assert.deepStrictEqual(output, ["serving"])
          assert.deepStrictEqual(yield* markedProcesses(`${folder}/builder/${handle.buildId}`), [])
        }),
        { stepTimeout: "500 millis" }
      )
    })
  )

  it.live.each<readonly [string, string, Settings]>([
    ["too many bytes", "yes 0123456789", { outputBytesMax: 100_000 }],
    ["too many lines", "yes ''", { outputLinesMax: 1000 }],
    ["one line without an end", "cat /dev/zero | tr '\\0' x", { outputBytesMax: 100_000 }]
  ])("stops a step that writes %s, with its last lines", ([, script, settings]) =>
    Effect.gen(function* () {
      const { code, reason, output } = yield* failure(scripted(script), settings)
      assert.strictEqual(code, "OutputLimit")
      assert.include(reason, "of output and was stopped")
      assert.isAtLeast(output.length, 1)
      assert.isAtMost(output.length, 20)
    })
  )

  it.live("begins no build when the disk has less left than it must keep", () =>
    withBuilder(
      Effect.gen(function* () {
        const handle = yield* submitted(scripted("echo begun"))
        const { code, reason } = yield* failureOf(handle)
        assert.deepStrictEqual([code, reason], ["DiskFull", "the disk of the builder is full"])
        assert.notInclude(yield* logTexts(handle), "begun")
      }),
      { freeBytesMin: Number.MAX_SAFE_INTEGER }
    )
  )

  it.live("stops a step that fills the disk, before it is full", (context) => {
    const reason = noMount()
    if (reason !== undefined) return context.skip(reason)
    return withDisk(
      32,
      Effect.gen(function* () {
        const handle = yield* submitted(scripted("echo begun; head -c 28M /dev/zero > big; sleep 600"))
        assert.strictEqual((yield* failureOf(handle)).code, "DiskFull")
        const texts = yield* logTexts(handle)
        assert.include(texts, "begun")
        assert.isFalse(texts.some((text) => text.includes("No space left")))
      }),
      { freeBytesMin: 8 * 1024 ** 2, diskCheckInterval: "20 millis" }
    )
  })

  it.live(
    "says that the disk is full when a step or the source finds no room, and builds afterwards",
    (context) => {
      const reason = noMount()
      if (reason !== undefined) return context.skip(reason)
      return withDisk(
        16,
        Effect.gen(function* () {
          const builds = yield* BuildService
          const step = yield* failureOf(yield* submitted(scripted("head -c 64M /dev/zero > big")))
          assert.strictEqual(step.code, "DiskFull")
          assert.match(step.output.join("\n"), /No space left on device/)
          const source = yield* failureOf(yield* submitted({ ...scripted("true"), big: 20 * 1024 ** 2 }))
          assert.strictEqual(source.code, "DiskFull")
          const result = yield* builds.await(yield* submitted(scripted("true")))
          assert.strictEqual(result.processes[0]?.name, "web")
        }),
        { freeBytesMin: 0 }
      )
    }
  )

  it.live("refuses a source that is too large or has too many files", () =>
    Effect.gen(function* () {
      const large = yield* failure({ ...scripted("true"), a: 2000 }, { sourceBytesMax: 1000 })
      assert.deepStrictEqual(
        [large.code, large.reason],
        ["SourceInvalid", "the source cannot be used: the tree is too large"]
      )
      const many = yield* failure({ ...scripted("true"), a: "", b: "", c: "" }, { sourceEntriesMax: 3 })
      assert.deepStrictEqual(
        [many.code, many.reason],
        ["SourceInvalid", "the source cannot be used: the tree has too many files"]
      )
    })
  )

  it.live("limits processes, forbids core files, and lets a step go first when memory runs out", () =>
    withBuilder(
      Effect.gen(function* () {
        const handle = yield* submitted(scripted("cat /proc/self/limits /proc/self/oom_score_adj; nice"))
        yield* (yield* BuildService).await(handle)
        const texts = yield* logTexts(handle)
        assert.isTrue(texts.some((text) => /^Max core file size\s+0\s+0\s/.test(text)))
        assert.include(texts, "1000")
        assert.include(texts, "10")
        if (process.getuid?.() === 0) {
          assert.isTrue(texts.some((text) => /^Max processes\s+77\s+77\s/.test(text)))
        }
      }),
      { processesMax: 77 }
    )
  )
})
