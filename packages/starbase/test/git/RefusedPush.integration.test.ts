/** Pushes that cannot be kept: a full disk, an App that cannot write, too many bytes. Nothing of them is accepted (INV-GIT-1). */
import { randomBytes } from "node:crypto"
import { readdirSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { CommitSha } from "@starform/domain/ids/Digest"
import { GitConfig } from "@starform/starbase/git/GitConfig"
import { DiskFull } from "@starform/starbase/storage/BlobStore"
import * as FaultyStorage from "../harness/FaultyStorage.ts"
import * as GitClone from "../harness/GitClone.ts"
import * as GitWorld from "../harness/GitWorld.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"

const builds = new GitWorld.Builds()
const fault = new FaultyStorage.Fault()

const layer = GitWorld.layerNew.pipe(
  Layer.provideMerge(
    StarbaseProcess.layerWithStorage(builds.script, FaultyStorage.layer(fault), {
      gitPushBytesMax: 64 * 1024
    })
  )
)

/** Files of all repositories that git writes while it takes a push. */
const incoming = Effect.map(GitConfig, ({ directory }) =>
  readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((path) =>
    /tmp_|incoming|\.pack$/.test(path)
  )
)

/** The App's next appends fail in the database, as many as said, as long as the scope is open. */
const appCannotWrite = Effect.fnUntraced(function* (times: number) {
  const sql = yield* SqlClient.SqlClient
  yield* Effect.acquireRelease(
    Effect.gen(function* () {
      yield* sql.unsafe("CREATE SEQUENCE appends")
      yield* sql.unsafe(`CREATE FUNCTION refuse_append() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF nextval('appends') <= ${times} THEN RAISE EXCEPTION 'no append'; END IF; RETURN NEW; END $$`)
      yield* sql.unsafe(`CREATE TRIGGER refuse_append BEFORE INSERT ON journal FOR EACH ROW
        WHEN (NEW.event->>'_tag' = 'DeployRequested') EXECUTE FUNCTION refuse_append()`)
    }),
    () =>
      Effect.orDie(
        Effect.andThen(sql.unsafe("DROP FUNCTION refuse_append CASCADE"), sql.unsafe("DROP SEQUENCE appends"))
      )
  )
})

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("RefusedPush", (it) => {
  it.effect("INV-GIT-1: a full disk refuses the push, no App accepts it, and pushing again works", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("full")
      const commit = yield* clone.commit({ app: "1" })
      fault.beforePut = Effect.fail(new DiskFull({ operation: "put" }))
      const refused = yield* clone.run("push", remote, "main")
      fault.beforePut = Effect.void
      assert.strictEqual(refused.status, 1, refused.output)
      assert.include(refused.output, "Starform could not keep the source; nothing was accepted, push again")
      assert.notInclude(yield* GitWorld.acceptedCommits, commit)
      const again = yield* clone.run("push", remote, "main")
      assert.strictEqual(again.status, 0, again.output)
      assert.strictEqual(yield* GitWorld.branchAt(clone, remote), commit)
    })
  )

  it.effect("INV-GIT-1: an App that cannot write refuses the push, and pushing again works", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("mute")
      const commit = yield* clone.commit({ app: "2" })
      const refused = yield* Effect.scoped(
        Effect.andThen(appCannotWrite(1000), clone.run("push", remote, "main"))
      )
      assert.strictEqual(refused.status, 1, refused.output)
      assert.match(refused.output, /\[remote rejected\] main -> main \(.*try again\.\)/)
      assert.notInclude(yield* GitWorld.acceptedCommits, commit)
      assert.isNull(yield* GitWorld.branchAt(clone, remote))
      const again = yield* clone.run("push", remote, "main")
      assert.strictEqual(again.status, 0, again.output)
    })
  )

  it.effect("an App that fails to answer once is asked again, and accepts the push once", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("shaky")
      const commit = yield* clone.commit({ app: "3" })
      const pushed = yield* Effect.scoped(
        Effect.andThen(appCannotWrite(1), clone.run("push", remote, "main"))
      )
      assert.strictEqual(pushed.status, 0, pushed.output)
      assert.deepStrictEqual(
        (yield* GitWorld.deploysOf("shaky")).map((deploy) => [deploy.commit, deploy.phase]),
        [[CommitSha.make(commit), "deployed"]]
      )
    })
  )

  for (const [way, kib] of [
    ["in one piece", 200],
    ["in chunks", 3000]
  ] as const) {
    it.effect(
      `a push that is too large, sent ${way}, is told the limit and what to do, and leaves nothing`,
      () =>
        Effect.gen(function* () {
          const clone = yield* GitClone.empty
          const remote = yield* GitWorld.remoteOf(`large-${kib}`)
          const commit = yield* clone.commit({ blob: randomBytes(kib * 1024) })
          const before = yield* incoming
          const refused = yield* clone.run("push", remote, "main")
          assert.strictEqual(refused.status, 1, refused.output)
          assert.include(refused.output, "One push may hold 64 KiB at most; nothing of this one was kept.")
          assert.include(refused.output, "Take large files and build output out of the commits.")
          assert.include(refused.output, "! [remote rejected] main -> main (unpacker error)")
          assert.notInclude(yield* GitWorld.acceptedCommits, commit)
          assert.deepStrictEqual(
            yield* GitClone.until("quarantine", incoming, (files) => files.length === before.length),
            before
          )
          yield* clone.git("rm", "--quiet", "blob")
          yield* clone.git("commit", "--quiet", "--amend", "--allow-empty", "--message=Small")
          assert.strictEqual((yield* clone.run("push", remote, "main")).status, 0)
        })
    )
  }

  it.effect("a long history goes in parts, as a push that is too large advises", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("long")
      const older = yield* clone.commit({ one: randomBytes(40 * 1024) })
      yield* clone.commit({ two: randomBytes(40 * 1024) })
      assert.strictEqual((yield* clone.run("push", remote, "main")).status, 1)
      const part = yield* clone.run("push", remote, `${older}:refs/heads/history`)
      assert.strictEqual(part.status, 0, part.output)
      const rest = yield* clone.run("push", remote, "main")
      assert.strictEqual(rest.status, 0, rest.output)
    })
  )
})
