/** The data folder that all processes of a Starbase share. One operation is one instant; what lies there outlives them all. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { type PlatformError, systemError } from "effect/PlatformError"
import * as Sink from "effect/Sink"
import { ask, type Store } from "./Store.ts"
import type { Process } from "./World.ts"

/** A bare repository as git keeps it. */
export interface Repository {
  readonly refs: Map<string, string>
  /** Every commit that it has, with its tree. */
  readonly commits: Set<string>
  /** Somebody writes its configuration: the lock is a file, and whoever comes second is refused. */
  isConfigLocked: boolean
}

const failure = (_tag: "NotFound" | "AlreadyExists" | "Unknown", method: string, path: string) =>
  systemError({ _tag, module: "FileSystem", method, pathOrDescriptor: path })

const parentOf = (path: string) => path.slice(0, path.lastIndexOf("/"))

export class ModelDisk {
  readonly repositories = new Map<string, Repository>()
  readonly files = new Map<string, Uint8Array>()
  private readonly folders = new Set<string>()
  private temporary = 0
  readonly store: Store

  constructor(store: Store) {
    this.store = store
  }

  has(path: string): boolean {
    const isHead = path.endsWith("/HEAD") && this.repositories.has(parentOf(path))
    return isHead || this.files.has(path) || this.folders.has(path) || this.repositories.has(path)
  }

  makeFolder(path: string): void {
    for (let folder = path; folder !== ""; folder = parentOf(folder)) this.folders.add(folder)
  }

  private makeTemporary(prefix: string): string {
    const path = `${prefix}${++this.temporary}`
    this.makeFolder(path)
    return path
  }

  private below(path: string): ReadonlyArray<string> {
    return [...this.folders, ...this.files.keys(), ...this.repositories.keys()].filter((each) =>
      each.startsWith(`${path}/`)
    )
  }

  /** Whatever is at a path and below it. */
  remove(path: string): void {
    for (const each of [path, ...this.below(path)]) {
      this.folders.delete(each)
      this.files.delete(each)
      this.repositories.delete(each)
    }
  }

  /** As rename(2): what is there already must be an empty folder. */
  private rename(from: string, to: string): PlatformError | undefined {
    if (!this.has(from)) return failure("NotFound", "rename", from)
    if (this.files.has(to) || this.repositories.has(to) || this.below(to).length > 0) {
      return failure("AlreadyExists", "rename", to)
    }
    const moving = [from, ...this.below(from)].map((path) => {
      const [file, repository] = [this.files.get(path), this.repositories.get(path)]
      return { path: to + path.slice(from.length), isFolder: this.folders.has(path), file, repository }
    })
    this.remove(from)
    for (const { path, isFolder, file, repository } of moving) {
      if (isFolder) this.folders.add(path)
      if (file !== undefined) this.files.set(path, file)
      if (repository !== undefined) this.repositories.set(path, repository)
    }
    return undefined
  }

  private write(path: string, bytes: Uint8Array): PlatformError | undefined {
    if (!this.folders.has(parentOf(path))) return failure("NotFound", "open", path)
    this.files.set(path, bytes)
    return undefined
  }

  private list(path: string): Array<string> {
    const names = this.below(path).map((each) => each.slice(path.length + 1).split("/")[0]!)
    return [...new Set(names)].sort()
  }

  layer(from: Process): Layer.Layer<FileSystem.FileSystem> {
    const operation = <A>(method: string, path: string, perform: () => A | PlatformError) =>
      ask<A, PlatformError>(
        this.store,
        from,
        `disk.${method}`,
        Effect.suspend(() => {
          const result = perform()
          return result instanceof Error ? Effect.fail(result as PlatformError) : Effect.succeed(result)
        }),
        () => failure("Unknown", method, path)
      )
    const write = (path: string, bytes: Uint8Array) => operation("write", path, () => this.write(path, bytes))
    return Layer.succeed(
      FileSystem.FileSystem,
      FileSystem.makeNoop({
        exists: (path) => operation("exists", path, () => this.has(path)),
        makeDirectory: (path) => operation("makeDirectory", path, () => this.makeFolder(path)),
        makeTempDirectoryScoped: ({ directory = "", prefix = "" } = {}) =>
          Effect.acquireRelease(
            operation("makeTempDirectory", directory, () => this.makeTemporary(`${directory}/${prefix}`)),
            (path) => Effect.ignore(operation("remove", path, () => this.remove(path)))
          ),
        chmod: (path) =>
          operation("chmod", path, () => (this.has(path) ? undefined : failure("NotFound", "chmod", path))),
        remove: (path, { force = false } = {}) =>
          operation("remove", path, () =>
            this.has(path) || force ? this.remove(path) : failure("NotFound", "remove", path)
          ),
        rename: (path, to) => operation("rename", path, () => this.rename(path, to)),
        readDirectory: (path) =>
          operation("readDirectory", path, () =>
            this.folders.has(path) ? this.list(path) : failure("NotFound", "readDirectory", path)
          ),
        writeFileString: (path, text) => write(path, new TextEncoder().encode(text)),
        sink: (path) =>
          Sink.mapEffect(Sink.collect<Uint8Array>(), (chunks) => write(path, Buffer.concat(chunks)))
      })
    )
  }
}
