/** The simulation can fail: what is broken here on purpose is noticed by an invariant within a few seeds. */
import { assert, describe, it } from "@effect/vitest"
import { createHash } from "node:crypto"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { Journal } from "@starform/starbase/journal/Journal"
import { Outbox, type OutboxRow } from "@starform/starbase/journal/Outbox"
import { Digest } from "@starform/domain/ids/Digest"
import type { Stores } from "./FaultyStore.ts"
import { RunnerLocks, storage } from "./RunnerLocks.ts"
import type { SharedFiles } from "./SharedFiles.ts"
import { type Breakage, simulate } from "./Simulation.ts"

const digestOf = (bytes: Uint8Array) =>
  Digest.make(`sha256:${createHash("sha256").update(bytes).digest("hex")}`)

/** Appends after whatever is there, whoever wrote it. */
const withoutFence = (stores: Stores): Stores => {
  const journal = Context.get(stores, Journal)
  return Context.add(stores, Journal, {
    ...journal,
    append: (key, append) =>
      Effect.flatMap(journal.read(key, 0, Number.MAX_SAFE_INTEGER), ({ length }) =>
        journal.append(key, { ...append, after: length })
      )
  })
}

/** Says that it has written each 12th append, and has not. */
const forgetful = (stores: Stores): Stores => {
  const journal = Context.get(stores, Journal)
  let appends = 0
  return Context.add(stores, Journal, {
    ...journal,
    append: (key, append) =>
      Effect.suspend(() => (++appends % 12 === 0 ? Effect.void : journal.append(key, append)))
  })
}

/** Has changes of what is desired, but for the first two, done without anybody performing them. */
const lossy = (stores: Stores): Stores => {
  const outbox = Context.get(stores, Outbox)
  let changes = 0
  const isLost = ({ effect }: OutboxRow) =>
    (effect as { readonly _tag: string })._tag === "PutDesired" && ++changes > 2
  return Context.add(stores, Outbox, {
    ...outbox,
    due: (nowMs, limit) =>
      Effect.flatMap(outbox.due(nowMs, limit), (found) => {
        const lost = found.filter(isLost)
        return Effect.as(
          outbox.done(lost),
          found.filter((row) => !lost.includes(row))
        )
      })
  })
}

/** Says that it keeps each third blob, and does not. */
const forgetfulBlobs = (files: SharedFiles) => {
  const { blobs } = files
  let puts = 0
  files.blobs = {
    ...blobs,
    putBytes: (bytes) =>
      ++puts % 3 === 0
        ? Effect.succeed({ digest: digestOf(bytes), sizeBytes: bytes.length })
        : blobs.putBytes(bytes)
  }
}

/** Moves no branch, and says that it did. */
const stubbornGit = (files: SharedFiles) => {
  files.git.forgets = (ref) => ref.startsWith("refs/heads/")
}

const seeds = 16

/** The first seed in which an invariant is violated. */
const noticed = (breakage: Breakage, wanted: string): number | undefined => {
  for (let seed = 1; seed <= seeds; seed++) {
    if (simulate(seed, breakage).violations.some(({ invariant }) => invariant === wanted)) return seed
  }
  return undefined
}

/** Every runner is the only one that it sees. */
const alone: NonNullable<Breakage["locksFor"]> = (process, store) =>
  storage(new RunnerLocks(5_000), store, process)

describe("An invariant notices", { timeout: 120_000 }, () => {
  it("INV-ACT-3 runners that own the same shards over a journal without a fence", () => {
    assert.isDefined(noticed({ stores: withoutFence, locksFor: alone }, "INV-ACT-3"))
  })

  it("INV-ACT-1 a journal that acknowledges an append and loses it", () => {
    assert.isDefined(noticed({ stores: forgetful }, "INV-ACT-1"))
  })

  it("INV-GIT-1 and INV-GIT-7 a blob store that acknowledges and loses", () => {
    assert.isDefined(noticed({ files: forgetfulBlobs }, "INV-GIT-1"))
    assert.isDefined(noticed({ files: forgetfulBlobs }, "INV-GIT-7"))
  })

  it("INV-GIT-2 a branch that does not move", () => {
    assert.isDefined(noticed({ files: stubbornGit }, "INV-GIT-2"))
  })

  it("INV-ACT-6 a relay that forgets a row", () => {
    assert.isDefined(noticed({ stores: lossy }, "INV-ACT-6"))
  })
})

describe("The journal's fence", () => {
  it("holds without exclusive locks", { timeout: 60_000 }, () => {
    const broken = simulate(1, { locksFor: alone }).violations.map(({ invariant }) => invariant)
    for (const invariant of ["INV-ACT-1", "INV-ACT-2", "INV-ACT-3"]) assert.notInclude(broken, invariant)
  })
})
