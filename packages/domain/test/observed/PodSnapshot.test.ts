import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  millisOf,
  minuteOf,
  SnapshotBatch,
  snapshotIdInput,
  SnapshotMinute,
  snapshotsMax
} from "@starform/domain/observed/PodSnapshot"
import { snapshotBytesMax } from "@starform/domain/protocol/AgentApi"
import * as Fixture from "../Fixture.ts"

const batch = Schema.decodeUnknownSync(SnapshotBatch)(Fixture.read("SnapshotBatch"))
const [snapshot] = batch.snapshots
if (snapshot === undefined) throw new Error("the fixture has a snapshot")

describe("PodSnapshot", () => {
  it("has the id of its project, service, pod and minute, and of nothing else", () => {
    const idOf = (of: typeof snapshot) => createHash("sha256").update(snapshotIdInput(of)).digest("hex")
    assert.strictEqual(idOf(snapshot), snapshot.snapshotId)
    assert.strictEqual(idOf({ ...snapshot, phase: "Failed", cpuMillicores: 1 }), snapshot.snapshotId)
    assert.notStrictEqual(idOf({ ...snapshot, podId: "another" }), snapshot.snapshotId)
    const later = minuteOf(millisOf(snapshot.snapshotTimestamp) + 60_000)
    assert.notStrictEqual(idOf({ ...snapshot, snapshotTimestamp: later }), snapshot.snapshotId)
  })

  it("takes every moment of a minute for that minute", () => {
    const from = millisOf(snapshot.snapshotTimestamp)
    assert.strictEqual(minuteOf(from), snapshot.snapshotTimestamp)
    assert.strictEqual(minuteOf(from + 59_999), snapshot.snapshotTimestamp)
    assert.notStrictEqual(minuteOf(from + 60_000), snapshot.snapshotTimestamp)
    assert.notStrictEqual(minuteOf(from - 1), snapshot.snapshotTimestamp)
  })

  it("has one spelling of each minute", () => {
    const isMinute = Schema.is(SnapshotMinute)
    assert.isTrue(isMinute("2024-02-29T23:59:00Z"))
    for (const text of [
      "2026-02-29T00:00:00Z",
      "2026-01-02T03:04:05Z",
      "2026-01-02T24:00:00Z",
      "2026-01-02"
    ]) {
      assert.isFalse(isMinute(text), text)
    }
  })

  it("takes as many as an agent may send in one request, whose bytes fit, and not one more", () => {
    const largest = {
      ...snapshot,
      environment: "e".repeat(30),
      process: "p".repeat(20),
      podId: "0".repeat(64),
      phase: "Succeeded",
      tier: "t".repeat(63),
      cpuMillicores: 2 ** 31 - 1,
      memoryMebibytes: 2 ** 31 - 1
    } as typeof snapshot
    const encode = Schema.encodeSync(Schema.fromJsonString(SnapshotBatch))
    const text = encode({ snapshots: Array.from({ length: snapshotsMax }, () => largest) })
    assert.isBelow(text.length, snapshotBytesMax)
    assert.throws(() => encode({ snapshots: Array.from({ length: snapshotsMax + 1 }, () => largest) }))
  })
})
