/** What to execute, and where (pure). `command` replaces the image's entrypoint and command, `args` its command. */
import * as Path from "node:path"
import { expand, type Variables } from "./ContainerEnvironment.ts"
import type { PreparedImage } from "./ImageStore.ts"
import type { ContainerSpecification } from "./PodSpecification.ts"

export interface ContainerCommand {
  readonly arguments: ReadonlyArray<string>
  readonly directory: string
}

/** `undefined` when neither pod nor image says what to run. */
export const containerCommand = (
  container: ContainerSpecification,
  image: PreparedImage,
  variables: Variables
): ContainerCommand | undefined => {
  const own = container.command ?? []
  const entrypoint = own.length > 0 ? own : image.config.entrypoint
  const args = container.args ?? (own.length > 0 ? [] : image.config.command)
  const expanded = [...entrypoint, ...args].map((text) => expand(text, variables))
  const directory = container.workingDir ?? image.config.workingDirectory
  return expanded.length === 0
    ? undefined
    : { arguments: expanded, directory: inRoot(image.rootDirectory, directory) }
}

/** An absolute path of the image's own world, on this machine. Never leaves the root, whatever dots it holds. */
export const inRoot = (rootDirectory: string, path: string): string =>
  Path.join(rootDirectory, Path.posix.resolve("/", path))
