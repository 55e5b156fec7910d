/** Settings of the git remote. */
import { join } from "node:path"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { StarbaseConfig } from "../StarbaseConfig.ts"
import type { TreeLimits } from "./TreeSurvey.ts"

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
  /** Of the tree of a commit that is deployed. */
  readonly treeLimits: TreeLimits
  /** A push says something at least this often. */
  readonly heartbeat: Duration.Duration
  /** How long a one-push token waits for its hook, from the start of the request. */
  readonly tokenLife: Duration.Duration
  /** Where people reach this process. */
  readonly publicUrl: string
  /** What a person types before the words of the `starform` command. */
  readonly commandLine: string
  /** Where a person finds a valid token; may be empty. */
  readonly tokenAdvice: string
}

export class GitConfig extends Context.Service<GitConfig, GitSettings>()(
  "@starform/starbase/git/GitConfig"
) {}

/** As this process is set up; hooks run with its own node. */
export const layer: Layer.Layer<GitConfig, never, StarbaseConfig> = Layer.effect(
  GitConfig,
  Effect.map(StarbaseConfig, (config) => ({
    host: config.host,
    directory: join(config.dataDirectory, "git"),
    socketPath: join(config.socketDirectory, "hooks.sock"),
    searchPath: config.gitSearchPath,
    nodePath: process.execPath,
    pushBytesMax: config.gitPushBytesMax,
    treeLimits: { entriesMax: config.gitTreeEntriesMax, bytesMax: config.gitTreeBytesMax },
    heartbeat: config.gitHeartbeat,
    tokenLife: config.gitTokenLife,
    publicUrl: config.publicUrl,
    commandLine: config.commandLine,
    tokenAdvice: config.tokenAdvice
  }))
)
