import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Tar from "effect/encoding/Tar"
import { unpackTree, type UnpackOptions } from "@starform/launchpad/images/TreeUnpack"
import { temporaryFolder } from "./TemporaryFolder.ts"

const archiveOf = (entries: ReadonlyArray<Tar.Entry>) =>
  Stream.fromIterable(entries).pipe(Stream.pipeThroughChannelOrFail(Tar.encode()))

const unpack = (entries: ReadonlyArray<Tar.Entry>, options: Partial<UnpackOptions> = {}) =>
  Effect.gen(function* () {
    const outer = yield* temporaryFolder
    const root = join(outer, "root")
    yield* Effect.promise(() => Fs.mkdir(root))
    yield* unpackTree(archiveOf(entries), {
      root,
      owner: null,
      readOnly: false,
      bytesMax: 1e6,
      entriesMax: 100,
      ...options
    })
    return root
  })

const other = (path: string, type: Tar.EntryType): Tar.Entry => ({
  header: { ...Tar.file(path, "").header, type, devMajor: 1, devMinor: 3 },
  body: Stream.empty
})

const refused: ReadonlyArray<readonly [string, ReadonlyArray<Tar.Entry>, string]> = [
  ["a path with ..", [Tar.file("a/../../evil", "x")], "badPath"],
  ["an absolute path", [Tar.file("/evil", "x")], "badPath"],
  ["an absolute link", [Tar.symlink("link", "/etc/passwd")], "linkLeavesTree"],
  ["a climbing link", [Tar.symlink("a/link", "../../evil")], "linkLeavesTree"],
  [
    "a link that climbs after a name",
    [Tar.symlink("here", "."), Tar.symlink("x", "here/../y")],
    "linkLeavesTree"
  ],
  ["a hard link", [Tar.file("a", "x"), Tar.hardlink("b", "a")], "specialFile"],
  ["a character device", [other("null", "CharDevice")], "specialFile"],
  ["a block device", [other("disk", "BlockDevice")], "specialFile"],
  ["a FIFO", [other("pipe", "Fifo")], "specialFile"],
  ["a whiteout", [Tar.file("a/.wh.b", "")], "reservedName"],
  ["the same path twice", [Tar.file("a", "x"), Tar.file("./a", "y")], "duplicate"],
  ["a file where a folder is", [Tar.directory("a"), Tar.file("a", "y")], "duplicate"],
  ["a folder where a file is", [Tar.file("a", "y"), Tar.file("a/b", "y")], "duplicate"],
  ["a file through a link", [Tar.symlink("a", "."), Tar.file("a/b", "y")], "duplicate"],
  ["too many entries", Array.from({ length: 101 }, (_, n) => Tar.file(`f${n}`, "")), "tooManyEntries"],
  ["too many folders", Array.from({ length: 101 }, (_, n) => Tar.directory(`d${n}`)), "tooManyEntries"],
  ["a name that no file system takes", [Tar.file("n".repeat(300), "x")], "pathTooLong"],
  ["a path that no system call takes", [Tar.file(`${"n/".repeat(2500)}x`, "x")], "tooManyEntries"],
  ["too many bytes", [Tar.file("a", new Uint8Array(1_000_001))], "tooManyBytes"]
]

describe("unpackTree", () => {
  it.live.each(refused)("refuses %s (INV-IMG-2)", ([, entries, problem]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(unpack(entries))
      assert.strictEqual(error._tag === "TreeRefused" ? error.problem : error._tag, problem)
    })
  )

  it.live("refuses bytes that are no archive, and an archive that is cut off", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const limits = { root, owner: null, readOnly: false, bytesMax: 1e6, entriesMax: 100 }
      const noise = Stream.succeed(new Uint8Array(2048).fill(65))
      const whole = Buffer.concat(yield* Stream.runCollect(archiveOf([Tar.file("a", "x".repeat(5000))])))
      for (const bytes of [noise, Stream.succeed(whole.subarray(0, 2000))]) {
        const error = yield* Effect.flip(unpackTree(bytes, limits))
        assert.strictEqual(error._tag === "TreeRefused" ? error.problem : error._tag, "malformedArchive")
      }
    })
  )

  it.live("takes links that stay inside, chains too", () =>
    Effect.gen(function* () {
      const root = yield* unpack([
        Tar.symlink("first", "./second"),
        Tar.symlink("second", "deep/er"),
        Tar.symlink("deep/er/up", "../../file"),
        Tar.file("file", "reached")
      ])
      assert.strictEqual(yield* Effect.promise(() => Fs.readFile(join(root, "first/up"), "utf8")), "reached")
    })
  )

  it.live("drops set-uid and write bits of a read-only tree, whatever the umask (INV-IMG-5)", () =>
    Effect.gen(function* () {
      const root = yield* unpack(
        [Tar.file("a/run", "x", { mode: 0o4777 }), Tar.file("a/text", "x", { mode: 0o666 })],
        { readOnly: true }
      )
      const modes = yield* Effect.promise(() =>
        Promise.all(
          ["a", "a/run", "a/text"].map(async (path) => (await Fs.stat(join(root, path))).mode & 0o7777)
        )
      )
      assert.deepStrictEqual(modes, [0o755, 0o555, 0o444])
    })
  )

  it.live("gives everything to the owner that is asked for", (context) =>
    Effect.gen(function* () {
      if (process.getuid?.() !== 0) return context.skip("only root can give files away")
      const root = yield* unpack([Tar.file("a/b", "x"), Tar.symlink("link", "a")], {
        owner: { uid: 1_912_345, gid: 1_912_345 }
      })
      const owners = yield* Effect.promise(() =>
        Promise.all(["a", "a/b", "link"].map(async (path) => (await Fs.lstat(join(root, path))).uid))
      )
      assert.deepStrictEqual(owners, [1_912_345, 1_912_345, 1_912_345])
    })
  )
})
