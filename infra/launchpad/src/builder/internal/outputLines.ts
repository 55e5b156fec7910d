/** Bytes of a terminal's output as lines. */
import { StringDecoder } from "node:string_decoder"

export interface OutputLines {
  /** The lines that these bytes complete. */
  readonly push: (bytes: Uint8Array) => ReadonlyArray<string>
  /** What is left without a line end. */
  readonly end: () => ReadonlyArray<string>
}

/**
 * A carriage return within a line starts it over, as on a terminal: only what was written last remains. A line that
 * grows beyond `lineLengthMax` characters is cut.
 */
export const makeOutputLines = (lineLengthMax: number): OutputLines => {
  const decoder = new StringDecoder("utf8")
  let rest = ""

  const asSeen = (line: string): string => {
    const text = line.endsWith("\r") ? line.slice(0, -1) : line
    return text.slice(text.lastIndexOf("\r") + 1)
  }

  const take = (text: string): ReadonlyArray<string> => {
    const parts = (rest + text).split("\n")
    rest = parts.pop() ?? ""
    const lines = parts.map(asSeen)
    const rewrites = rest.lastIndexOf("\r", rest.length - 2)
    if (rewrites !== -1) rest = rest.slice(rewrites + 1)
    while (rest.length > lineLengthMax) {
      lines.push(asSeen(rest.slice(0, lineLengthMax)))
      rest = rest.slice(lineLengthMax)
    }
    return lines.flatMap((line) => cut(line, lineLengthMax))
  }

  return {
    push: (bytes) => take(decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))),
    end: () => {
      const lines = take(decoder.end())
      const last = asSeen(rest)
      rest = ""
      return last === "" ? lines : [...lines, last]
    }
  }
}

const cut = (line: string, lengthMax: number): ReadonlyArray<string> =>
  line.length <= lengthMax
    ? [line]
    : Array.from({ length: Math.ceil(line.length / lengthMax) }, (_, n) =>
        line.slice(n * lengthMax, (n + 1) * lengthMax)
      )
