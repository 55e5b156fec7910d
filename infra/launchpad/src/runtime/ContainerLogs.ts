/** Log files of containers: one per run, the last two runs kept, readable while they are written. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as fs from "node:fs"
import * as Path from "node:path"
import { closedLogFile, openLogFile, rotatedPath, type LogFile } from "./internal/logFile.ts"
import { KubeletConfig } from "./KubeletConfig.ts"

/** One run of one container. */
export interface LogKey {
  readonly namespace: string
  readonly pod: string
  readonly uid: string
  readonly container: string
  readonly restartCount: number
}

export interface LogReadOptions {
  readonly follow: boolean
  readonly tailLines?: number
  readonly sinceSeconds?: number
  readonly timestamps?: boolean
}

/** The log's folder or file cannot be used. */
export class LogUnavailable extends Schema.TaggedError<LogUnavailable>()("LogUnavailable", {
  path: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `log ${this.path} cannot be used`
  }
}

export class ContainerLogs extends Context.Service<
  ContainerLogs,
  {
    /** Starts the log of a run, closes it with the scope, and removes runs older than the previous one. */
    readonly open: (key: LogKey) => Effect.Effect<LogFile, LogUnavailable, Scope.Scope>
    readonly exists: (key: LogKey) => Effect.Effect<boolean>
    /** Text as the container wrote it, both streams in order. Ends with the run when following. */
    readonly read: (key: LogKey, options: LogReadOptions) => Stream.Stream<Uint8Array, LogUnavailable>
    /** All logs of a pod. */
    readonly remove: (key: Pick<LogKey, "namespace" | "pod" | "uid">) => Effect.Effect<void, LogUnavailable>
  }
>()("@starform/launchpad/runtime/ContainerLogs") {}

const readBytes = 64 * 1024

interface Position {
  readonly generation: number
  readonly offset: number
}

const readAt = (path: string, offset: number): Buffer => {
  const descriptor = fs.openSync(path, "r")
  try {
    const buffer = Buffer.allocUnsafe(readBytes)
    return buffer.subarray(0, fs.readSync(descriptor, buffer, 0, readBytes, offset))
  } finally {
    fs.closeSync(descriptor)
  }
}

const changed = (file: LogFile, known: number): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const cancel = file.onChange(known, () => resume(Effect.void))
    return Effect.sync(cancel)
  })

/** Bytes of the file from a position on; with `follow` it waits for more until the run is over. */
const bytesFrom = (
  path: string,
  file: LogFile,
  follow: boolean
): Stream.Stream<Uint8Array, LogUnavailable> => {
  const step = (
    position: Position
  ): Effect.Effect<readonly [Uint8Array, Position] | undefined, LogUnavailable> =>
    Effect.suspend(() => {
      const newest = file.generation()
      if (position.generation < newest - 1) {
        return step({ generation: newest - 1, offset: 0 })
      }
      const rotated = position.generation < newest
      const wasOpen = file.isOpen()
      const version = file.version()
      return Effect.try({
        try: () => readAt(rotated ? rotatedPath(path) : path, position.offset),
        catch: (cause) => new LogUnavailable({ path, cause })
      }).pipe(
        Effect.flatMap((bytes) => {
          if (bytes.length > 0) {
            const next = { generation: position.generation, offset: position.offset + bytes.length }
            return Effect.succeed([bytes, next] as const)
          }
          if (rotated) {
            return step({ generation: position.generation + 1, offset: 0 })
          }
          return follow && wasOpen
            ? Effect.andThen(changed(file, version), step(position))
            : Effect.as(Effect.void, undefined)
        })
      )
    })
  return Stream.unfold({ generation: Math.max(0, file.generation() - 1), offset: 0 }, step)
}

interface LogLine {
  readonly time: string
  readonly text: string
  readonly whole: boolean
}

/** `<time> <stream> <F|P> <text>`; anything else is kept as it is. */
const parseLine = (line: string): LogLine => {
  const match = /^(\S+) (?:stdout|stderr) ([FP]) (.*)$/s.exec(line)
  const [, time, tag, text] = match ?? []
  return time === undefined || text === undefined
    ? { time: "", text: line, whole: true }
    : { time, text, whole: tag === "F" }
}

const render = (line: LogLine, timestamps: boolean): string =>
  `${timestamps && line.time !== "" ? `${line.time} ` : ""}${line.text}${line.whole ? "\n" : ""}`

const make = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const clock = yield* Clock.Clock
  const { directory, logBytesMax } = yield* KubeletConfig
  const open = new Map<string, LogFile>()

  const folderOf = (key: Pick<LogKey, "namespace" | "pod" | "uid">): string =>
    Path.join(directory, "logs", `${key.namespace}_${key.pod}_${key.uid}`)
  const pathOf = (key: LogKey): string => Path.join(folderOf(key), key.container, `${key.restartCount}.log`)
  const timestamp = (): string =>
    DateTime.formatIso(DateTime.makeUnsafe(clock.currentTimeMillisUnsafe())).replace("Z", "000000Z")

  const forget = Effect.fnUntraced(function* (path: string) {
    yield* files.remove(path, { force: true })
    yield* files.remove(rotatedPath(path), { force: true })
  })

  const start = Effect.fnUntraced(function* (key: LogKey) {
    const path = pathOf(key)
    const unavailable = (cause: unknown) => new LogUnavailable({ path, cause })
    yield* files
      .makeDirectory(Path.dirname(path), { recursive: true })
      .pipe(Effect.andThen(files.chmod(Path.join(directory, "logs"), 0o700)), Effect.mapError(unavailable))
    if (key.restartCount >= 2) {
      yield* forget(pathOf({ ...key, restartCount: key.restartCount - 2 })).pipe(Effect.mapError(unavailable))
    }
    return yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          const file = openLogFile(path, logBytesMax, timestamp)
          open.set(path, file)
          return file
        },
        catch: unavailable
      }),
      (file) =>
        Effect.sync(() => {
          file.close()
          if (open.get(path) === file) {
            open.delete(path)
          }
        })
    )
  })

  const read = (key: LogKey, options: LogReadOptions): Stream.Stream<Uint8Array, LogUnavailable> =>
    Stream.suspend(() => {
      const path = pathOf(key)
      const file = open.get(path) ?? closedLogFile(path)
      const since =
        options.sinceSeconds === undefined
          ? ""
          : DateTime.formatIso(
              DateTime.makeUnsafe(clock.currentTimeMillisUnsafe() - options.sinceSeconds * 1000)
            )
      const linesOf = (follow: boolean) =>
        bytesFrom(path, file, follow).pipe(
          Stream.decodeText,
          Stream.splitLines,
          Stream.map(parseLine),
          Stream.filter((line) => line.time === "" || line.time >= since)
        )
      const encode = Stream.map((line: LogLine) =>
        new TextEncoder().encode(render(line, options.timestamps === true))
      )
      const tail = options.tailLines
      if (tail === undefined) {
        return encode(linesOf(options.follow))
      }
      return Stream.unwrap(
        Effect.map(
          Stream.runFold(
            linesOf(false),
            () => 0,
            (count) => count + 1
          ),
          (count) => encode(Stream.drop(linesOf(options.follow), Math.max(0, count - tail)))
        )
      )
    })

  return ContainerLogs.of({
    open: start,
    exists: (key) => files.exists(pathOf(key)).pipe(Effect.option, Effect.map(Option.getOrElse(() => false))),
    read,
    remove: (key) =>
      files
        .remove(folderOf(key), { recursive: true, force: true })
        .pipe(Effect.mapError((cause) => new LogUnavailable({ path: folderOf(key), cause })))
  })
})

export const layerNoDeps = Layer.effect(ContainerLogs, make)
