/** Settings of the host builder. Every limit is here. */
import { dirname, join } from "node:path"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Layer from "effect/Layer"

export interface HostBuilderSettings {
  /** All of it belongs to the builder. Every folder above it must be open to the users that run builds. */
  readonly directory: string
  /** `PATH` of steps and of images; must hold node, npm and a shell, all open to the users that run builds. */
  readonly hostPath: ReadonlyArray<string>
  /** Added to every step's environment: certificates, proxies, registry. Seen by tenants, so never a secret. */
  readonly stepEnvironment: Readonly<Record<string, string>>
  /** First of the numeric users that builds run as when this process is root; nothing else may use the range. The first itself only asks for versions. */
  readonly userIdFirst: number
  readonly userIdCount: number
  readonly stepTimeout: Duration.Input
  /** Of one step; what is beyond it ends the step. Lines are counted too, for a log keeps more of a line than its text. */
  readonly outputBytesMax: number
  readonly outputLinesMax: number
  /** How long output is waited for that a process outside the ended group still holds. */
  readonly outputDrainTimeout: Duration.Input
  /** How long killed processes may take to be gone. */
  readonly sweepTimeout: Duration.Input
  /** Characters; a longer line is cut into several. */
  readonly lineLengthMax: number
  /** Processes and threads of one build at once; applies when it has a user of its own. */
  readonly processesMax: number
  /** A build is ended when the file system of `directory` has less left. */
  readonly freeBytesMin: number
  readonly diskCheckInterval: Duration.Input
  readonly sourceBytesMax: number
  readonly sourceEntriesMax: number
  /** 0 to 19; above the apps', so that serving comes first. */
  readonly niceness: number
}

export const defaults: Omit<HostBuilderSettings, "directory"> = {
  hostPath: [
    dirname(process.execPath),
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin"
  ],
  stepEnvironment: {},
  userIdFirst: 1_900_000,
  userIdCount: 100_000,
  stepTimeout: "10 minutes",
  outputBytesMax: 16 * 1024 ** 2,
  outputLinesMax: 200_000,
  outputDrainTimeout: "1 second",
  sweepTimeout: "10 seconds",
  lineLengthMax: 8 * 1024,
  processesMax: 1024,
  freeBytesMin: 256 * 1024 ** 2,
  diskCheckInterval: "1 second",
  sourceBytesMax: 1024 ** 3,
  sourceEntriesMax: 200_000,
  niceness: 10
}

export class HostBuilderConfig extends Context.Service<HostBuilderConfig, HostBuilderSettings>()(
  "@starform/launchpad/builder/HostBuilderConfig"
) {}

export const layer = (
  settings: Pick<HostBuilderSettings, "directory"> & Partial<HostBuilderSettings>
): Layer.Layer<HostBuilderConfig> => Layer.succeed(HostBuilderConfig, { ...defaults, ...settings })

/** Where what lies in the builder's directory. */
export const foldersOf = ({ directory }: Pick<HostBuilderSettings, "directory">) => ({
  /** One folder per running build. */
  work: join(directory, "work"),
  /** npm's own cache, per build user. */
  npm: join(directory, "npm"),
  /** Which layer is which installed tree, per workspace. */
  layers: join(directory, "layers"),
  /** Which workspace has which user id. */
  users: join(directory, "users"),
  outcomes: join(directory, "outcomes")
})
