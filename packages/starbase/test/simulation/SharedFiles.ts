/** What processes share beside the database's journal: the data folder with its repositories, blobs, and logs of builds. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { BuildLogIndex, BuildLogUnavailable } from "@starform/starbase/builds/BuildLogIndex"
import * as BuildLogIndexMemory from "@starform/starbase/builds/BuildLogIndexMemory"
import { BlobStore } from "@starform/starbase/storage/BlobStore"
import * as BlobStoreMemory from "@starform/starbase/storage/BlobStoreMemory"
import { ModelDisk } from "./ModelDisk.ts"
import { ModelGit, refsOf } from "./ModelGit.ts"
import * as SharedBlobs from "./SharedBlobs.ts"
import { BundleTable } from "./SharedBundles.ts"
import { ask, type Road, type Store } from "./Store.ts"
import type { Process } from "./World.ts"

/** How the ways to the machine's own things are. */
export interface FileFaults {
  /** To the data folder. */
  readonly disk: Road
  /** To a program that is started: `lost` ends before it did anything, `unheard` right after. */
  readonly git: Road
  readonly blobs: Road
  /** Whether there is no room for a blob now. */
  readonly isFull: () => boolean
}

const isAway = (operation: string) => new BuildLogUnavailable({ operation, cause: "the connection is gone" })

const root = "/data/git/"

export const pathOf = (key: string) => `${root}${key}.git`

/** `<project>/<service>` of a repository's path. */
export const keyOf = (path: string) => path.slice(root.length, -".git".length)

export const branchesOf = (refs: ReadonlyMap<string, string>): ReadonlyMap<string, string> =>
  new Map([...refs].filter(([ref]) => ref.startsWith("refs/heads/")).sort())

/** Nobody is woken: whoever follows a log looks again after a second, as after a lost notification. */
const logIndex = (
  index: BuildLogIndex["Service"],
  store: Store,
  from: Process
): Layer.Layer<BuildLogIndex> => {
  const run = <A, E>(operation: string, perform: Effect.Effect<A, E>) =>
    ask<A, E | BuildLogUnavailable>(store, from, `logs.${operation}`, perform, isAway)
  return Layer.succeed(BuildLogIndex, {
    append: (buildId, chunk) => run("append", index.append(buildId, chunk)),
    list: (buildId, number) => run("list", index.list(buildId, number)),
    newest: (buildId) => run("newest", index.newest(buildId)),
    watch: () => Effect.succeed(Effect.sleep("1 second"))
  })
}

export class SharedFiles {
  readonly disk: ModelDisk
  readonly git: ModelGit
  blobs: SharedBlobs.Blobs
  readonly bundles = new BundleTable()
  /** Moves of branches that went with a repository before a bundle held them: `<path> <ref> <commit>`. */
  readonly lostMoves = new Set<string>()
  private readonly index: BuildLogIndex["Service"]
  private readonly database: Store
  private readonly faults: FileFaults

  constructor(database: Store, faults: FileFaults) {
    const { process } = database
    this.database = database
    this.faults = faults
    this.disk = new ModelDisk({ process, road: faults.disk })
    this.git = new ModelGit(this.disk, { process, road: faults.git })
    const stores = Effect.runSyncWith(process.context)(
      Effect.scoped(Layer.build(Layer.fresh(Layer.merge(BlobStoreMemory.layer, BuildLogIndexMemory.layer))))
    )
    this.blobs = Context.get(stores, BlobStore)
    this.index = Context.get(stores, BuildLogIndex)
  }

  /** The branches of the newest bundle of a repository; `undefined` when it is not there any more. */
  bundled(path: string): ReadonlyMap<string, string> | undefined {
    const row = this.bundles.rows.get(keyOf(path))
    if (row === undefined) return new Map()
    const bytes = Effect.runSync(Effect.option(this.blobs.getBytes(row.digest)))
    return bytes._tag === "None" ? undefined : branchesOf(refsOf(bytes.value))
  }

  /** A repository is gone from the disk. */
  lose(path: string): void {
    const branches = branchesOf(this.disk.repositories.get(path)?.refs ?? new Map())
    const kept = this.bundled(path)
    for (const [ref, commit] of branches) {
      if (kept?.get(ref) !== commit) this.lostMoves.add(`${path} ${ref} ${commit}`)
    }
    this.disk.remove(path)
  }

  layer(from: Process) {
    const { database, disk, faults, git } = this
    const blobs = { process: database.process, road: faults.blobs }
    return Layer.mergeAll(
      disk.layer(from),
      git.layer(from),
      SharedBlobs.layer(this.blobs, blobs, from, faults.isFull),
      this.bundles.layer(database, from),
      logIndex(this.index, database, from)
    )
  }
}
