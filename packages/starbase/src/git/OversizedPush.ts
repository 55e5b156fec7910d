/**
 * git refuses a push over `receive.maxInputSize` by itself, in words that do not say what to do: this adds ours to its
 * answer, behind its own line. The answer is pkt-lines whose first byte is a sideband, 2 for what people read.
 *
 * @source gitprotocol-common(5), gitprotocol-pack(5) "Packfile Data"
 */
import * as Stream from "effect/Stream"

const people = 2

const refused = "exceeds maximum allowed size"

const headBytes = 4

const packet = (text: string): Buffer => {
  const body = Buffer.from(text)
  const length = (headBytes + 1 + body.length).toString(16).padStart(headBytes, "0")
  return Buffer.concat([Buffer.from(length), Buffer.from([people]), body])
}

/** @param bytes in the largest unit that makes it at least 1 */
export const size = (bytes: number): string => {
  const units = ["bytes", "KiB", "MiB", "GiB"]
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1)
  return `${Number((bytes / 1024 ** power).toFixed(1))} ${units[power]}`
}

export const advice = (pushBytesMax: number): string =>
  [
    "",
    `  One push may hold ${size(pushBytesMax)} at most; nothing of this one was kept.`,
    "  Take large files and build output out of the commits. A long history goes in parts:",
    "  git push <remote> <older commit>:refs/heads/history",
    ""
  ].join("\n")

/** Whole packets of `bytes`, each with what is to follow it, and what remains. */
const step = (bytes: Buffer, note: Buffer): readonly [out: Buffer, rest: Buffer] => {
  const out: Array<Buffer> = []
  let at = 0
  while (at + headBytes <= bytes.length) {
    const length = Math.max(Number.parseInt(bytes.toString("latin1", at, at + headBytes), 16), headBytes)
    if (Number.isNaN(length)) return [Buffer.concat([...out, bytes.subarray(at)]), Buffer.alloc(0)]
    if (at + length > bytes.length) break
    const whole = bytes.subarray(at, at + length)
    out.push(whole)
    if (whole[headBytes] === people && whole.includes(refused)) out.push(note)
    at += length
  }
  return [Buffer.concat(out), bytes.subarray(at)]
}

/** Of the body of a receive-pack answer. */
export const explain =
  (pushBytesMax: number) =>
  <E, R>(answer: Stream.Stream<Uint8Array, E, R>): Stream.Stream<Uint8Array, E, R> =>
    Stream.suspend(() => {
      const note = packet(advice(pushBytesMax))
      let rest: Buffer = Buffer.alloc(0)
      const whole = Stream.map(answer, (chunk): Uint8Array => {
        const [out, next] = step(Buffer.concat([rest, chunk]), note)
        rest = next
        return out
      })
      return Stream.concat(
        whole,
        Stream.suspend(() => Stream.succeed<Uint8Array>(rest))
      ).pipe(Stream.filter((chunk) => chunk.length > 0))
    })
