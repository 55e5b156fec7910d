import { chmod, mkdir, readdir, readlink, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as PostgresBinaries from "@starform/launchpad/postgres/PostgresBinaries"
import * as PostgresUser from "@starform/launchpad/postgres/PostgresUser"
import { folder } from "./TestCluster.ts"

const self = { name: "self", uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, switched: false }

/** Somebody who owns nothing here. */
const stranger = { name: "stranger", uid: 54_321, gid: 54_321, switched: true }

/** A package as npm unpacks it: programs and a library, no links. */
const unpacked = Effect.gen(function* () {
  const path = yield* folder
  const root = join(path, "package")
  yield* Effect.promise(async () => {
    await mkdir(join(root, "native", "bin"), { recursive: true })
    await mkdir(join(root, "native", "lib"))
    for (const name of ["initdb", "postgres"]) {
      await writeFile(join(root, "native", "bin", name), "#!/bin/sh\n", { mode: 0o755 })
    }
    await writeFile(join(root, "native", "lib", "libx.so.6.1"), "library", { mode: 0o600 })
    await writeFile(
      join(root, "native", "pg-symlinks.json"),
      JSON.stringify([{ source: "native/lib/libx.so.6.1", target: "native/lib/libx.so.6" }])
    )
    await writeFile(join(root, "package.json"), JSON.stringify({ version: "18.4.0-beta.17" }))
  })
  return { root, fallback: join(path, "fallback") }
})

const live = (
  name: string,
  body: Effect.Effect<void, unknown, Effect.Services<typeof unpacked> | NodeServices.NodeServices>
) => it.live(name, () => body.pipe(Effect.scoped, Effect.provide(NodeServices.layer)))

describe("PostgresBinaries", () => {
  live(
    "makes the links that npm archives cannot carry, and uses the programs in place",
    Effect.gen(function* () {
      const { root, fallback } = yield* unpacked
      for (let time = 0; time < 2; time++) {
        const binaries = yield* PostgresBinaries.resolve(self, fallback, root)
        assert.strictEqual(binaries.postgres, join(root, "native", "bin", "postgres"))
        assert.strictEqual(binaries.major, "18")
        assert.isUndefined(binaries.copiedTo)
        const link = yield* Effect.promise(() => readlink(join(root, "native", "lib", "libx.so.6")))
        assert.strictEqual(link, "libx.so.6.1")
      }
    })
  )

  live(
    "copies the programs once, readable by everybody, when the user cannot get to them",
    Effect.gen(function* () {
      const { root, fallback } = yield* unpacked
      yield* Effect.promise(() => chmod(root, 0o700))
      for (let time = 0; time < 2; time++) {
        const binaries = yield* PostgresBinaries.resolve(stranger, fallback, root)
        assert.strictEqual(binaries.copiedTo, join(fallback, "postgresql-18.4.0-beta.17"))
        assert.isTrue(yield* PostgresUser.mayExecute(stranger, binaries.postgres))
      }
      const library = join(fallback, "postgresql-18.4.0-beta.17", "native", "lib", "libx.so.6")
      assert.strictEqual((yield* Effect.promise(() => stat(library))).mode & 0o777, 0o644)
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(fallback)), ["postgresql-18.4.0-beta.17"])
    })
  )

  live(
    "finds the programs that are installed on this machine",
    Effect.gen(function* () {
      const { fallback } = yield* unpacked
      const binaries = yield* PostgresBinaries.resolve(self, fallback)
      assert.isAbove((yield* Effect.promise(() => stat(binaries.postgres))).size, 1_000_000)
    })
  )
})

describe("PostgresUser", () => {
  live(
    "lets a stranger through open folders only, and judges a missing path by its nearest folder",
    Effect.gen(function* () {
      const path = yield* folder
      const inner = join(path, "a", "b")
      yield* Effect.promise(() => mkdir(inner, { recursive: true }))
      yield* Effect.promise(() => chmod(join(path, "a"), 0o711))
      assert.isTrue(yield* PostgresUser.mayEnter(stranger, inner))
      assert.isTrue(yield* PostgresUser.mayEnter(stranger, join(inner, "missing", "deeper")))
      yield* Effect.promise(() => chmod(join(path, "a"), 0o750))
      assert.isFalse(yield* PostgresUser.mayEnter(stranger, inner))
      assert.isFalse(yield* PostgresUser.mayEnter(stranger, join(inner, "missing", "deeper")))
      assert.isTrue(yield* PostgresUser.mayEnter(self, inner))
    })
  )
})
