/** Settings of the git remote. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Layer from "effect/Layer"

export interface GitSettings {
  /** Told to git as the caller's address: callers are known by their token. */
  readonly host: string
  /** Bare repositories. */
  readonly directory: string
  /** The unix socket that hooks connect to; at most 100 characters. */
  readonly socketPath: string
  /** Where git and node are found. */
  readonly searchPath: string
  /** The node that runs hooks. */
  readonly nodePath: string
  /** Largest push, packed. */
  readonly pushBytesMax: number
  /** A push says something at least this often. */
  readonly heartbeat: Duration.Duration
  /** How long a one-push token waits for its hook, from the start of the request. */
  readonly tokenLife: Duration.Duration
}

export class GitConfig extends Context.Service<GitConfig, GitSettings>()(
  "@starform/starbase/git/GitConfig"
) {}

export const defaults = {
  host: "127.0.0.1",
  searchPath: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  nodePath: process.execPath,
  pushBytesMax: 256 * 1024 * 1024,
  heartbeat: Duration.seconds(4),
  tokenLife: Duration.minutes(10)
}

export const layer = (
  settings: Partial<GitSettings> & Pick<GitSettings, "directory" | "socketPath">
): Layer.Layer<GitConfig> => Layer.succeed(GitConfig, { ...defaults, ...settings })
