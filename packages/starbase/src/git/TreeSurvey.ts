/**
 * What a commit's tree holds, read off `git ls-tree -r -t -l -z` as it comes. Trees may share subtrees, so a push of a
 * few kilobytes can list without end: reading stops at the limits (INV-GIT-6).
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export interface TreeLimits {
  /** Files and folders. */
  readonly entriesMax: number
  /** Of all files, unpacked. */
  readonly bytesMax: number
}

export interface TreeSurvey {
  /** Which limit the tree is beyond; the rest is not looked at then. */
  readonly beyond: keyof TreeLimits | null
  /** Paths. */
  readonly submodules: ReadonlyArray<string>
}

/** Long paths must not make a listing endless that is short in entries: this much for each, on average. */
const listingBytesPerEntry = 512

/** `<mode> <type> <object> <size> TAB <path>`; the size of what is no file is `-`. */
const entry = /^(\d+) \w+ \w+ +(\d+|-)\t([^]*)$/

export const read = <E, R>(
  listing: Stream.Stream<Uint8Array, E, R>,
  { entriesMax, bytesMax }: TreeLimits
): Effect.Effect<TreeSurvey, E, R> =>
  Effect.suspend(() => {
    const submodules: Array<string> = []
    let beyond: TreeSurvey["beyond"] = null
    let rest = ""
    let listed = 0
    let entries = 0
    let bytes = 0
    const take = (text: string): boolean => {
      listed += text.length
      const lines = (rest + text).split("\0")
      rest = lines.pop() ?? ""
      for (const line of lines) {
        const [, mode, size, path = ""] = entry.exec(line) ?? []
        if (mode === "160000") submodules.push(path)
        if (size !== "-") bytes += Number(size ?? 0)
      }
      entries += lines.length
      if (entries > entriesMax || listed > entriesMax * listingBytesPerEntry) beyond = "entriesMax"
      else if (bytes > bytesMax) beyond = "bytesMax"
      return beyond !== null
    }
    return listing.pipe(
      Stream.decodeText(),
      Stream.takeUntil(take),
      Stream.runDrain,
      Effect.map(() => ({ beyond, submodules }))
    )
  })
