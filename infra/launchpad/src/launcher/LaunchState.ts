/** Where what lies on disk: one folder per part of the platform, all below the state folder. */
import { join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { LaunchOptions } from "./LaunchOptions.ts"

export interface LaunchState {
  readonly directory: string
  readonly secrets: string
  readonly logs: string
  readonly postgres: string
  readonly starbase: string
  readonly kubernetes: string
  readonly shuttle: string
  /** Of the hooks' socket, whose path must stay short. */
  readonly sockets: string
  readonly sample: string
  readonly kubeconfig: string
  /** What the `starform` command reads: where the API is, and a token. */
  readonly cli: string
}

/** A socket's path may have 107 characters; this leaves room for its name. */
const socketFolderMax = 80

const isRoot = (): boolean => process.getuid?.() === 0

/** `npm start` keeps its state here, below the checkout, when it is not told otherwise. */
export const folderName = ".starform"

/** Where state is kept between starts; `null` with `ephemeral`. */
export const locate = (checkout: string, options: LaunchOptions): string | null =>
  options.ephemeral ? null : resolve(checkout, options.state ?? folderName)

/**
 * Opens the state folder, with `ephemeral` one that goes when the scope closes. As root its mode lets other users pass
 * through (apps run below it) and list nothing.
 */
export const open = Effect.fnUntraced(function* (
  checkout: string,
  { ephemeral, state: given }: LaunchOptions
) {
  const fs = yield* FileSystem.FileSystem
  const directory = ephemeral
    ? yield* fs.makeTempDirectoryScoped({ prefix: "starform-" })
    : resolve(checkout, given ?? folderName)
  yield* fs.makeDirectory(directory, { recursive: true })
  yield* fs.chmod(directory, isRoot() ? 0o711 : 0o700)
  const state: LaunchState = {
    directory,
    secrets: join(directory, "secrets"),
    logs: join(directory, "logs"),
    postgres: join(directory, "postgres"),
    starbase: join(directory, "starbase"),
    kubernetes: join(directory, "kubernetes"),
    shuttle: join(directory, "shuttle"),
    sockets:
      directory.length <= socketFolderMax
        ? join(directory, "sockets")
        : yield* fs.makeTempDirectoryScoped({ prefix: "starform-sockets-" }),
    sample: join(directory, "sample"),
    kubeconfig: join(directory, "kubeconfig"),
    cli: join(directory, "cli.json")
  }
  for (const folder of [state.logs, state.starbase, state.kubernetes, state.shuttle, state.sockets]) {
    yield* fs.makeDirectory(folder, { recursive: true, mode: 0o700 })
  }
  return state
})
