/** A pod's private folders: home and temporary files of its containers, removed with it. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import * as Path from "node:path"
import { ContainerLogs } from "./ContainerLogs.ts"
import { KubeletConfig } from "./KubeletConfig.ts"
import type { PodSpecification } from "./PodSpecification.ts"
import type { ProcessUser } from "./UserIds.ts"

/** Home or temporary folder cannot be made or removed. */
export class PodFolderUnusable extends Schema.TaggedError<PodFolderUnusable>()("PodFolderUnusable", {
  path: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `folder ${this.path} cannot be used${typeof this.cause === "string" ? `: ${this.cause}` : ""}`
  }
}

export interface PodFolderPaths {
  readonly home: string
  readonly temporary: string
}

const rootOf = (directory: string, pod: PodSpecification): string =>
  Path.join(directory, "pods", pod.metadata.uid)

/** Folders on the way that other users may not pass; the pod's user would find nothing behind them. */
const closedFolders = Effect.fnUntraced(function* (directory: string) {
  const files = yield* FileSystem.FileSystem
  const closed: Array<string> = []
  for (let path = Path.resolve(directory); ; path = Path.dirname(path)) {
    const { mode } = yield* files.stat(path)
    if ((mode & 0o001) === 0) {
      closed.push(path)
    }
    if (path === Path.dirname(path)) {
      return closed
    }
  }
})

/** Owned by the pod's user and closed to others. Idempotent. */
export const create = Effect.fn("PodFolders.create")(function* (
  pod: PodSpecification,
  user: ProcessUser | undefined
) {
  const files = yield* FileSystem.FileSystem
  const { directory } = yield* KubeletConfig
  const root = rootOf(directory, pod)
  const paths: PodFolderPaths = { home: Path.join(root, "home"), temporary: Path.join(root, "tmp") }
  yield* Effect.gen(function* () {
    yield* files.makeDirectory(root, { recursive: true })
    for (const path of [directory, Path.dirname(root), root]) {
      yield* files.chmod(path, 0o711)
    }
    for (const path of [paths.home, paths.temporary]) {
      yield* files.makeDirectory(path, { recursive: true })
      yield* files.chmod(path, 0o700)
      if (user !== undefined) {
        yield* files.chown(path, user.uid, user.gid)
      }
    }
    const closed = user === undefined ? [] : yield* closedFolders(root)
    if (closed.length > 0) {
      return yield* Effect.fail(`user ${user?.uid} may not pass ${closed.join(", ")}`)
    }
  }).pipe(Effect.mapError((cause) => new PodFolderUnusable({ path: root, cause })))
  return paths
})

/** Folders and logs. A failure is logged: the pod is gone, its left-overs are only space. */
export const remove = Effect.fn("PodFolders.remove")(function* (pod: PodSpecification) {
  const files = yield* FileSystem.FileSystem
  const logs = yield* ContainerLogs
  const { directory } = yield* KubeletConfig
  const { name, namespace, uid } = pod.metadata
  yield* files.remove(rootOf(directory, pod), { recursive: true, force: true }).pipe(
    Effect.andThen(logs.remove({ namespace: namespace, pod: name, uid })),
    Effect.catch((error) => Effect.logWarning(`left-overs of pod ${namespace}/${name}`, error))
  )
})
