/** A static site as layers: the server, which is the same for every site, and the site's files. */
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Tar from "effect/encoding/Tar"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { BlobStore } from "@starform/starbase/storage/BlobStore"
import { attempt, TreeUnavailable } from "../images/TreeErrors.ts"
import { listTree } from "../images/TreeListing.ts"
import { packTree } from "../images/TreePack.ts"
import { appPrefix } from "./AppInstall.ts"
import type { BuildWorkspace } from "./BuildWorkspace.ts"

const serverFile = fileURLToPath(new URL("StaticSite.mjs", import.meta.url))

/** What a site at the root of a repository does not mean to publish. */
const unpublished = new Set([
  "node_modules",
  "package.json",
  "package-lock.json",
  "starform.json",
  "Procfile",
  "Dockerfile"
])

const isVisible = (path: string): boolean =>
  path === ".well-known" || path.startsWith(".well-known/") || !path.startsWith(".")

/** @param folder the site's folder, relative to the app */
export const siteLayers = Effect.fnUntraced(function* (workspace: BuildWorkspace, folder: string) {
  const blobs = yield* BlobStore
  const server = yield* attempt("read", () => Fs.readFile(serverFile))
  const serverLayer = yield* Stream.make(
    Tar.directory(appPrefix),
    Tar.file(`${appPrefix}/static-site.mjs`, server)
  ).pipe(
    Stream.pipeThroughChannelOrFail(Tar.encode()),
    Stream.catchTag("TarError", (cause) => Stream.fail(new TreeUnavailable({ operation: "pack", cause }))),
    blobs.put
  )
  const root = join(workspace.app, folder)
  const ownerUid = workspace.seat.user?.uid ?? null
  const entries = yield* listTree(
    root,
    (path) => isVisible(path) && !(folder === "." && unpublished.has(path))
  )
  const siteLayer = yield* blobs.put(packTree({ root, entries, prefix: `${appPrefix}/site`, ownerUid }))
  return [serverLayer, siteLayer]
})
