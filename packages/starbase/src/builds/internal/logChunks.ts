/** Cutting lines into the bodies of chunks. */

const encoder = new TextEncoder()

/** Bodies of at most `bytesMax`, in order, each line whole and ended by a line feed; a longer line has a body of its own. */
export const chunkBodies = (lines: ReadonlyArray<string>, bytesMax: number): ReadonlyArray<Uint8Array> => {
  const bodies: Array<Array<string>> = []
  let sizeBytes = Infinity
  for (const line of lines) {
    const lineBytes = Buffer.byteLength(line) + 1
    if (sizeBytes + lineBytes > bytesMax) {
      bodies.push([])
      sizeBytes = 0
    }
    bodies.at(-1)?.push(`${line}\n`)
    sizeBytes += lineBytes
  }
  return bodies.map((body) => encoder.encode(body.join("")))
}
