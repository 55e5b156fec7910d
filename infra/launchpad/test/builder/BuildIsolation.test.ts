import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { BuildService } from "@starform/starbase/builds/BuildService"
import { temporaryFolder } from "../images/TemporaryFolder.ts"
import {
  logTexts,
  newWorkspace,
  printed,
  scripted,
  submitted,
  withBuilder,
  withBuilderIn
} from "./BuilderHarness.ts"

/** In the environment of this process, which is the platform's, while the scope is open. */
const canary = Effect.acquireRelease(
  Effect.sync(() => {
    process.env["STARFORM_TEST_SECRET"] = "must-not-leak"
  }),
  () => Effect.sync(() => delete process.env["STARFORM_TEST_SECRET"])
)

/** What a step's environment may hold: ours, what shells add, and what the settings of these tests add. */
const known =
  /^(PATH|HOME|TMPDIR|LANG|CI|FORCE_COLOR|NODE_ENV|npm_config_\w+|STARFORM_BUILD_MARK|PWD|OLDPWD|SHLVL|_|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|HTTPS_PROXY|https_proxy)$/

describe("HostBuilder isolation", () => {
  it.live("gives steps nothing of the platform's environment (INV-HBL-1)", () =>
    withBuilder(
      Effect.gen(function* () {
        yield* canary
        const handle = yield* submitted(scripted("env; tr '\\0' '\\n' < /proc/self/environ"))
        yield* (yield* BuildService).await(handle)
        const texts = yield* logTexts(handle)
        const keys = new Set(texts.flatMap((text) => /^([A-Za-z_]\w*)=/.exec(text)?.[1] ?? []))
        assert.isTrue(keys.has("HOME") && keys.has("TMPDIR"))
        assert.deepStrictEqual(
          [...keys].filter((key) => !known.test(key)),
          []
        )
        assert.isFalse(texts.some((text) => text.includes("must-not-leak")))
      })
    )
  )

  it.live("runs steps in private folders, as a user of the workspace alone when it can (INV-HBL-3)", () =>
    withBuilder(
      Effect.gen(function* () {
        const builds = yield* BuildService
        const script = scripted("echo uid=$(id -u) gid=$(id -g) groups=$(id -G); ls -ld $HOME $TMPDIR .")
        const workspaceId = newWorkspace()
        const userOf = Effect.fnUntraced(function* (fields: { workspaceId?: typeof workspaceId }) {
          const handle = yield* submitted(script, fields)
          yield* builds.await(handle)
          const texts = yield* logTexts(handle)
          assert.strictEqual(texts.filter((text) => text.startsWith("drwx------")).length, 3)
          return /^uid=(\d+) gid=(\d+) groups=(.*)$/.exec(texts.find((text) => text.startsWith("uid=")) ?? "")
        })
        const mine = yield* userOf({ workspaceId })
        const again = yield* userOf({ workspaceId })
        const theirs = yield* userOf({})
        assert.strictEqual(again?.[0], mine?.[0])
        if (process.getuid?.() === 0) {
          assert.isAtLeast(Number(mine?.[1]), 1_900_001)
          assert.deepStrictEqual([mine?.[2], mine?.[3]], [mine?.[1], mine?.[1]])
          assert.notStrictEqual(theirs?.[1], mine?.[1])
        } else assert.strictEqual(Number(mine?.[1]), process.getuid?.())
      })
    )
  )

  it.live(
    "lets a step read nothing of the platform's or another workspace's (INV-HBL-3, INV-HBL-5)",
    (context) => {
      if (process.getuid?.() !== 0) return context.skip("only root runs builds as users of their own")
      return Effect.gen(function* () {
        const folder = yield* temporaryFolder
        yield* canary
        yield* Effect.promise(() => Fs.writeFile(join(folder, "secret"), "key", { mode: 0o600 }))
        yield* withBuilderIn(
          folder,
          Effect.gen(function* () {
            const builds = yield* BuildService
            const slow = yield* submitted(scripted("echo ready; sleep 600"))
            yield* printed(slow, "ready")
            const work = join(folder, "builder", "work")
            const place = join(work, (yield* Effect.promise(() => Fs.readdir(work)))[0] ?? "", "app")
            const cache = join(folder, "builder", "npm", `${slow.workspaceId}.0`)
            yield* Effect.promise(() => Fs.access(join(place, "starform.json")))
            yield* Effect.promise(() => Fs.access(cache))
            const attempts = [
              `cat ${folder}/secret`,
              `cat /proc/${process.pid}/environ`,
              `ls ${folder}/blobs`,
              `ls ${folder}/builder/outcomes`,
              `ls ${work}`,
              `ls ${place}`,
              `cat ${place}/starform.json`,
              `ls ${cache}`,
              `touch ${join(place, "..", "planted")}`,
              "kill -0 1",
              `kill -0 ${process.pid}`,
              "mv ../app ../gone"
            ]
            const script = attempts.map((attempt) => `${attempt} >/dev/null 2>&1 && echo "LEAK ${attempt}"`)
            const spy = yield* submitted(
              scripted([...script, "cat starform.json >/dev/null && echo fine"].join("\n"))
            )
            yield* builds.await(spy)
            const texts = yield* logTexts(spy)
            assert.deepStrictEqual(
              texts.filter((text) => text.startsWith("LEAK")),
              []
            )
            assert.include(texts, "fine")
            yield* builds.cancel(slow)
          })
        )
      })
    }
  )
})
