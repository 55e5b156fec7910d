/** The install step: npm, or the tree that an earlier build of the workspace kept. */
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { WorkspaceId } from "@starform/domain/ids/Ids"
import type { BuildLogWriter } from "@starform/starbase/builds/BuildLog"
import { type BlobEntry, BlobStore } from "@starform/starbase/storage/BlobStore"
import { attempt } from "../images/TreeErrors.ts"
import { listTree } from "../images/TreeListing.ts"
import { packTree } from "../images/TreePack.ts"
import { unpackTree } from "../images/TreeUnpack.ts"
import type { InstallPlan } from "./BuildPlan.ts"
import type { BuildWorkspace } from "./BuildWorkspace.ts"
import { DependencyLayers, dependencyKey } from "./DependencyLayers.ts"
import { HostBuilderConfig } from "./HostBuilderConfig.ts"
import type { SourceListing } from "./SourceListing.ts"
import type { ToolVersions } from "./Toolchain.ts"

/** Where the app is in an image. */
export const appPrefix = "app"

/** What build tools and npm keep for themselves there: no part of the app, and different where a registry is. */
const notModules = new Set(["node_modules/.cache", "node_modules/.package-lock.json"])

const isModule = (path: string): boolean =>
  (path === "node_modules" || path.startsWith("node_modules/")) && !notModules.has(path)

/** `node_modules` as a layer; none when there is nothing in it. */
export const packModules = Effect.fnUntraced(function* (workspace: BuildWorkspace) {
  const blobs = yield* BlobStore
  const entries = yield* listTree(workspace.app, isModule)
  if (!entries.some(({ kind }) => kind === "file")) return Option.none<BlobEntry>()
  const ownerUid = workspace.seat.user?.uid ?? null
  const layer = yield* blobs.put(packTree({ root: workspace.app, entries, prefix: appPrefix, ownerUid }))
  return Option.some(layer)
})

/** Puts a kept tree in place; false when it is damaged, and then nothing has changed. */
const restore = Effect.fnUntraced(function* (workspace: BuildWorkspace, layer: BlobEntry) {
  const { sourceBytesMax, sourceEntriesMax } = yield* HostBuilderConfig
  const blobs = yield* BlobStore
  const root = join(workspace.root, "restored")
  const modules = join(workspace.app, "node_modules")
  yield* attempt("restore", () => Fs.mkdir(root))
  const isWhole = yield* unpackTree(blobs.get(layer.digest), {
    root,
    owner: workspace.seat.user,
    readOnly: false,
    bytesMax: 4 * sourceBytesMax,
    entriesMax: 4 * sourceEntriesMax
  }).pipe(
    Effect.as(true),
    Effect.catchTag(["BlobCorrupt", "BlobNotFound"], () => Effect.succeed(false))
  )
  if (!isWhole) return false
  yield* attempt("restore", async () => {
    await Fs.rm(modules, { recursive: true, force: true })
    await Fs.rename(join(root, appPrefix, "node_modules"), modules)
  })
  return true
})

/** As a person would type it. */
export const installCommand = ({ command, includeDev }: InstallPlan): ReadonlyArray<string> => [
  "npm",
  command,
  includeDev ? "--include=dev" : "--omit=dev",
  ...(command === "install" ? ["--no-package-lock"] : ["--prefer-offline"])
]

/**
 * Leaves the app ready for its build command. Some: the layer of its production dependencies, which then need not be on
 * disk; none: whatever is in `node_modules` after the build is the layer.
 */
export const installApp = Effect.fn("installApp")(function* (
  workspaceId: WorkspaceId,
  workspace: BuildWorkspace,
  plan: InstallPlan,
  source: SourceListing,
  versions: ToolVersions,
  log: BuildLogWriter
) {
  const layers = yield* DependencyLayers
  const key = plan.isRepeatable ? dependencyKey(source, versions, plan.includeDev) : null
  const kept = key === null ? Option.none<BlobEntry>() : yield* layers.find(workspaceId, key)
  if (Option.isSome(kept) && (!plan.includeDev || (yield* restore(workspace, kept.value)))) {
    yield* log.write("notice", "dependencies are unchanged: nothing to install")
    return plan.includeDev ? Option.none<BlobEntry>() : kept
  }
  const command = installCommand(plan)
  yield* log.write("notice", `$ ${command.join(" ")}`)
  yield* workspace.run(command)
  if (key === null) return Option.none<BlobEntry>()
  const fresh = yield* packModules(workspace)
  if (Option.isSome(fresh)) yield* layers.keep(workspaceId, key, fresh.value)
  return plan.includeDev ? Option.none<BlobEntry>() : fresh
})
