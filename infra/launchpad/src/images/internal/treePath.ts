/** The grammar of paths and links inside a tree (INV-IMG-2). */
import { posix } from "node:path"

/** The path without leading `./` and trailing `/`; `""` for the root itself; `undefined` when it could leave the tree. */
export const normalisedPath = (path: string): string | undefined => {
  if (path.includes("\0") || path.startsWith("/")) return undefined
  const parts = path.split("/").filter((part) => part !== "" && part !== ".")
  return parts.includes("..") ? undefined : parts.join("/")
}

/**
 * The target of a link at `path`, or `undefined` when following it could leave the tree. `..` is allowed at the start
 * only: after a name, that name may itself be a link, and the way up would start somewhere else than it reads.
 */
export const containedTarget = (path: string, target: string): string | undefined => {
  if (target === "" || target.includes("\0") || target.startsWith("/")) return undefined
  const parts = target.split("/").filter((part) => part !== "" && part !== ".")
  const climbs = parts.findIndex((part) => part !== "..")
  const ups = climbs === -1 ? parts.length : climbs
  if (parts.slice(ups).includes("..")) return undefined
  const depth = posix.dirname(path) === "." ? 0 : posix.dirname(path).split("/").length
  if (ups > depth) return undefined
  return parts.length === 0 ? "." : parts.join("/")
}

/** Prefix of the names by which a layer deletes files of the layers below. @source OCI image spec, layer.md "Whiteouts" */
export const whiteoutPrefix = ".wh."

export const isWhiteout = (path: string): boolean => posix.basename(path).startsWith(whiteoutPrefix)
