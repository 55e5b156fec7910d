/** Installed trees of earlier builds, by what they were made from (INV-HBL-5). */
import { createHash, randomUUID } from "node:crypto"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { canonicalJson } from "@starform/domain/desired/DocumentHash"
import { Digest } from "@starform/domain/ids/Digest"
import type { WorkspaceId } from "@starform/domain/ids/Ids"
import { type BlobEntry, BlobStore } from "@starform/starbase/storage/BlobStore"
import { lockfileOf } from "./DetectNode.ts"
import { foldersOf, HostBuilderConfig } from "./HostBuilderConfig.ts"
import type { SourceListing } from "./SourceListing.ts"
import type { ToolVersions } from "./Toolchain.ts"

/** Changes when the way in which trees are installed or packed does. */
const format = 2

const StoredLayer = Schema.fromJsonString(Schema.Struct({ digest: Digest, sizeBytes: Schema.Int }))
const decodeLayer = Schema.decodeEffect(StoredLayer)
const encodeLayer = Schema.encodeEffect(StoredLayer)

const decodeManifest = Schema.decodeOption(
  Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))
)

/** What an installed tree is made from, as a file name. Scripts and version of the app have no part in it. */
export const dependencyKey = (source: SourceListing, versions: ToolVersions, includeDev: boolean): string => {
  const manifest = Option.getOrElse(decodeManifest(source.texts.get("package.json") ?? "{}"), () => ({}))
  const declared = Object.entries(manifest).filter(([key]) => key !== "scripts" && key !== "version")
  const inputs = {
    format,
    versions,
    includeDev,
    platform: `${process.platform}-${process.arch}`,
    declared,
    lockfile: source.texts.get(lockfileOf(source) ?? "") ?? "",
    npmrc: source.texts.get(".npmrc") ?? ""
  }
  return createHash("sha256").update(canonicalJson(inputs)).digest("hex")
}

export class DependencyLayers extends Context.Service<
  DependencyLayers,
  {
    /** None also when the cache cannot be read: then the tree is installed. The blob may still turn out to be damaged. */
    readonly find: (workspaceId: WorkspaceId, key: string) => Effect.Effect<Option.Option<BlobEntry>>
    /** Best effort: a failure is logged and costs the next build an install. */
    readonly keep: (workspaceId: WorkspaceId, key: string, layer: BlobEntry) => Effect.Effect<void>
  }
>()("@starform/launchpad/builder/DependencyLayers") {}

const make = Effect.gen(function* () {
  const config = yield* HostBuilderConfig
  const blobs = yield* BlobStore
  const folderOf = (workspaceId: WorkspaceId) => join(foldersOf(config).layers, workspaceId)

  const find: DependencyLayers["Service"]["find"] = (workspaceId, key) =>
    Effect.tryPromise(() => Fs.readFile(join(folderOf(workspaceId), key), "utf8")).pipe(
      Effect.flatMap(decodeLayer),
      Effect.flatMap(({ digest }) => blobs.stat(digest)),
      Effect.orElseSucceed(() => Option.none<BlobEntry>())
    )

  const keep: DependencyLayers["Service"]["keep"] = (workspaceId, key, layer) =>
    encodeLayer(layer).pipe(
      Effect.flatMap((text) =>
        Effect.tryPromise(async () => {
          const folder = folderOf(workspaceId)
          const partial = join(folder, `.${randomUUID()}`)
          await Fs.mkdir(folder, { recursive: true, mode: 0o700 })
          await Fs.writeFile(partial, text, { flush: true })
          await Fs.rename(partial, join(folder, key))
        })
      ),
      Effect.catch((cause) => Effect.logWarning(`workspace ${workspaceId}: dependency layer not kept`, cause))
    )

  return { find, keep }
})

export const layer: Layer.Layer<DependencyLayers, never, HostBuilderConfig | BlobStore> = Layer.effect(
  DependencyLayers,
  make
)
