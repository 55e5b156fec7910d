import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { BlobStore } from "@starform/starbase/storage/BlobStore"
import * as BlobStoreMemory from "@starform/starbase/storage/BlobStoreMemory"
import { listTree } from "@starform/launchpad/images/TreeListing"
import { type PackOptions, packTree } from "@starform/launchpad/images/TreePack"
import { unpackTree } from "@starform/launchpad/images/TreeUnpack"
import { temporaryFolder, writeFiles } from "./TemporaryFolder.ts"

const limits = { owner: null, readOnly: false, bytesMax: 1e9, entriesMax: 10_000 }

const pack = (root: string, options: Partial<PackOptions> = {}) =>
  Effect.gen(function* () {
    const entries = yield* listTree(root)
    const blobs = yield* BlobStore
    return yield* blobs.put(packTree({ root, entries, prefix: "app", ownerUid: null, ...options }))
  })

const sample = {
  "package.json": "{}",
  "bin/run.sh": "#!/bin/sh\necho run\n",
  "src/a.js": "a",
  "src/deep/er/b.js": "b",
  [`long/${"x".repeat(120)}/${"y".repeat(120)}.txt`]: "long path",
  "src/é ü 漢.txt": "names"
}

describe("packTree", () => {
  it.live(
    "gives the same digest for the same tree, whenever, wherever and in whatever order it was made (INV-IMG-1)",
    () =>
      Effect.gen(function* () {
        const [one, two] = [yield* temporaryFolder, yield* temporaryFolder]
        yield* writeFiles(one, sample)
        yield* writeFiles(two, Object.fromEntries(Object.entries(sample).reverse()))
        yield* Effect.promise(async () => {
          for (const root of [one, two]) await Fs.symlink("../src/a.js", join(root, "bin/link"))
          await Fs.utimes(join(two, "src/a.js"), 1, 1)
          await Fs.chmod(join(two, "src/a.js"), 0o600)
          await Fs.chmod(join(two, "src"), 0o700)
          await Fs.chmod(join(two, "bin/run.sh"), 0o700)
        })
        assert.strictEqual((yield* pack(one)).digest, (yield* pack(two)).digest)
        yield* writeFiles(two, { "src/a.js": "A" })
        assert.notStrictEqual((yield* pack(one)).digest, (yield* pack(two)).digest)
      }).pipe(Effect.provide(BlobStoreMemory.layer))
  )

  it.live("has the digest that it always had", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      yield* writeFiles(root, { "a/b.txt": "text\n", "run.sh": "#!/bin/sh\n" })
      const { digest } = yield* pack(root)
      assert.strictEqual(digest, "sha256:859a6b60e9829b66c1732754fc3d798854a13cfc65dcb9054af8986e19d2f69f")
    }).pipe(Effect.provide(BlobStoreMemory.layer))
  )

  it.live("comes back whole from an archive: content, links, empty folders, executable bits", () =>
    Effect.gen(function* () {
      const [root, copy] = [yield* temporaryFolder, yield* temporaryFolder]
      const large = Buffer.alloc(3_000_001, "large")
      yield* writeFiles(root, sample)
      yield* Effect.promise(async () => {
        await Fs.mkdir(join(root, "empty"))
        await Fs.symlink("src/deep", join(root, "to-folder"))
        await Fs.writeFile(join(root, "large.bin"), large)
      })
      const { digest } = yield* pack(root)
      const blobs = yield* BlobStore
      yield* unpackTree(blobs.get(digest), { ...limits, root: copy })
      const before = yield* listTree(root)
      const after = yield* listTree(join(copy, "app"))
      const facts = (entries: typeof before) =>
        entries.map(({ path, kind, target, isExecutable, sizeBytes }) => ({
          path,
          kind,
          target,
          isExecutable: kind === "file" && isExecutable,
          sizeBytes: kind === "file" ? sizeBytes : 0
        }))
      assert.deepStrictEqual(facts(after), facts(before))
      assert.isTrue((yield* Effect.promise(() => Fs.readFile(join(copy, "app/large.bin")))).equals(large))
      assert.strictEqual(
        yield* Effect.promise(() => Fs.readFile(join(copy, "app/to-folder/er/b.js"), "utf8")),
        "b"
      )
    }).pipe(Effect.provide(BlobStoreMemory.layer))
  )

  const refusals: ReadonlyArray<readonly [string, (root: string) => Promise<void>, string]> = [
    ["an absolute link", (root) => Fs.symlink("/etc/passwd", join(root, "link")), "linkLeavesTree"],
    ["a link that climbs out", (root) => Fs.symlink("../../secret", join(root, "link")), "linkLeavesTree"],
    ["a whiteout name", (root) => Fs.writeFile(join(root, ".wh.x"), ""), "reservedName"]
  ]
  it.live.each(refusals)("refuses %s (INV-IMG-6)", ([, make, problem]) =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      yield* Effect.promise(() => make(root))
      const error = yield* Effect.flip(pack(root))
      assert.strictEqual(error._tag === "TreeRefused" ? error.problem : error._tag, problem)
    }).pipe(Effect.provide(BlobStoreMemory.layer))
  )

  it.live("refuses a file that belongs to somebody else (INV-IMG-6)", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      yield* writeFiles(root, { "mine.txt": "" })
      const error = yield* Effect.flip(pack(root, { ownerUid: 12_345 }))
      assert.strictEqual(error._tag === "TreeRefused" ? error.problem : error._tag, "foreignOwner")
    }).pipe(Effect.provide(BlobStoreMemory.layer))
  )

  it.live("does not enter what is not wanted", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      yield* writeFiles(root, { "a.txt": "", "node_modules/x/y.js": "" })
      const entries = yield* listTree(root, (path) => path !== "node_modules")
      assert.deepStrictEqual(
        entries.map(({ path }) => path),
        ["a.txt"]
      )
      const all = yield* Stream.runCollect(packTree({ root, entries, prefix: "app", ownerUid: null }))
      assert.isFalse(Buffer.concat(all).includes("node_modules"))
    })
  )
})
