import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as OversizedPush from "@starform/starbase/git/OversizedPush"

const packet = (band: number, text: string) => {
  const body = Buffer.concat([Buffer.from([band]), Buffer.from(text)])
  return Buffer.concat([Buffer.from((body.length + 4).toString(16).padStart(4, "0")), body])
}

const flush = Buffer.from("0000")

const explained = (bytes: Buffer, chunkBytes: number) =>
  Stream.fromIterable(
    Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, n) =>
      bytes.subarray(n * chunkBytes, (n + 1) * chunkBytes)
    )
  ).pipe(OversizedPush.explain(1024), Stream.runCollect, Effect.map(Buffer.concat))

const said = packet(2, "fatal: pack exceeds maximum allowed size (1.00 KiB)\n")
const report = packet(1, "000eunpack no\n0000")

describe("OversizedPush", () => {
  it.effect("adds its words behind git's own, however the answer is cut", () =>
    Effect.gen(function* () {
      const expected = Buffer.concat([said, packet(2, OversizedPush.advice(1024)), report, flush])
      for (const chunkBytes of [1, 3, 7, 64, 1000]) {
        const answer = yield* explained(Buffer.concat([said, report, flush]), chunkBytes)
        assert.deepStrictEqual(answer, expected)
      }
    })
  )

  it.effect("leaves every other answer as it is, also one that is cut short or no packets at all", () =>
    Effect.gen(function* () {
      const cases = [
        Buffer.concat([packet(2, "  ▸ Building\n"), packet(1, "exceeds maximum allowed size"), flush]),
        Buffer.concat([packet(2, "half"), Buffer.from("00ff\u0002cut")]),
        Buffer.from("# not a packet exceeds maximum allowed size"),
        Buffer.from("00"),
        Buffer.alloc(0)
      ]
      for (const bytes of cases) {
        for (const chunkBytes of [1, 5, 1000])
          assert.deepStrictEqual(yield* explained(bytes, chunkBytes), bytes)
      }
    })
  )

  it("says sizes in the largest unit that fits", () => {
    assert.deepStrictEqual([0, 1, 1023, 1024, 1536, 256 * 1024 ** 2, 5 * 1024 ** 4].map(OversizedPush.size), [
      "0 bytes",
      "1 bytes",
      "1023 bytes",
      "1 KiB",
      "1.5 KiB",
      "256 MiB",
      "5120 GiB"
    ])
  })
})
