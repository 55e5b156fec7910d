import * as fs from "node:fs"

export type OutputStream = "stdout" | "stderr"

/** A line longer than this is stored in pieces (tag `P`), as in the CRI log format. */
const lineBytesMax = 16 * 1024
const newline = 0x0a

/**
 * Log of one run of a container in the CRI format `<time> <stream> <F|P> <text>`: a current file and one older.
 * Appends are synchronous writes to the page cache, so a reader that is told about a write finds it.
 */
export interface LogFile {
  /** How often the current file was moved away; a reader's position is (generation, offset). */
  readonly generation: () => number
  readonly isOpen: () => boolean
  /** Grows with every append and at the end. */
  readonly version: () => number
  readonly append: (stream: OutputStream, chunk: Uint8Array) => void
  /** Calls back once, as soon as the version differs from the one that the caller knows. Returns its cancellation. */
  readonly onChange: (known: number, listener: () => void) => () => void
  readonly close: () => void
}

export const rotatedPath = (path: string): string => `${path}.1`

/** A log that an earlier Launchpad, or an earlier run, has left. */
export const closedLogFile = (path: string): LogFile => ({
  generation: () => (fs.existsSync(rotatedPath(path)) ? 1 : 0),
  isOpen: () => false,
  version: () => 0,
  append: () => undefined,
  onChange: () => () => undefined,
  close: () => undefined
})

/** Starts empty. `now` gives RFC 3339 with nanoseconds. */
export const openLogFile = (path: string, bytesMax: number, now: () => string): LogFile => {
  let descriptor = fs.openSync(path, "w", 0o640)
  let size = 0
  let generation = 0
  let open = true
  let version = 0
  let lostBytes = 0
  const rests: Record<OutputStream, Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }
  const listeners = new Set<() => void>()

  const notify = () => {
    version += 1
    const told = [...listeners]
    listeners.clear()
    for (const listener of told) {
      listener()
    }
  }

  const write = (bytes: Buffer) => {
    if (size > 0 && size + bytes.length > bytesMax) {
      fs.closeSync(descriptor)
      fs.renameSync(path, rotatedPath(path))
      descriptor = fs.openSync(path, "w", 0o640)
      generation += 1
      size = 0
    }
    size += fs.writeSync(descriptor, bytes)
  }

  // A full disk must not end the container or Launchpad: what cannot be stored is counted, and the count is stored.
  const store = (parts: ReadonlyArray<Buffer>) => {
    const bytes = Buffer.concat(parts)
    if (bytes.length === 0) {
      return
    }
    try {
      if (lostBytes > 0) {
        write(Buffer.from(`${now()} stderr F [${lostBytes} bytes of output could not be stored]\n`))
        lostBytes = 0
      }
      write(bytes)
    } catch {
      lostBytes += bytes.length
    }
    notify()
  }

  const entry = (stream: OutputStream, tag: "F" | "P", time: string, text: Buffer): ReadonlyArray<Buffer> => [
    Buffer.from(`${time} ${stream} ${tag} `),
    text,
    Buffer.from("\n")
  ]

  return {
    generation: () => generation,
    isOpen: () => open,
    version: () => version,
    append: (stream, chunk) => {
      if (!open) {
        return
      }
      const time = now()
      const parts: Array<Buffer> = []
      let text = Buffer.concat([rests[stream], chunk])
      let end = text.indexOf(newline)
      while (end >= 0 || text.length > lineBytesMax) {
        const whole = end >= 0 && end <= lineBytesMax
        const length = whole ? end : lineBytesMax
        parts.push(...entry(stream, whole ? "F" : "P", time, text.subarray(0, length)))
        text = text.subarray(whole ? length + 1 : length)
        end = text.indexOf(newline)
      }
      rests[stream] = text
      store(parts)
    },
    onChange: (known, listener) => {
      if (known !== version) {
        listener()
        return () => undefined
      }
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: () => {
      if (!open) {
        return
      }
      const time = now()
      const last = (["stdout", "stderr"] as const).flatMap((stream) =>
        rests[stream].length === 0 ? [] : entry(stream, "P", time, rests[stream])
      )
      store(last)
      open = false
      fs.closeSync(descriptor)
      notify()
    }
  }
}
