/** Which Node.js and npm the steps of builds get; asked once, by running them, as soon as the builder starts. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { BuilderUnavailable } from "@starform/starbase/builds/BuildErrors"
import { HostBuilderConfig } from "./HostBuilderConfig.ts"

export interface ToolVersions {
  /** Without the leading `v`. */
  readonly node: string
  readonly npm: string
}

export class Toolchain extends Context.Service<
  Toolchain,
  {
    /** Known after the first success; a failure is asked again by the next build. */
    readonly versions: Effect.Effect<ToolVersions, BuilderUnavailable>
  }
>()("@starform/launchpad/builder/Toolchain") {}

const run = promisify(execFile)

const make = Effect.gen(function* () {
  const { hostPath, userIdFirst } = yield* HostBuilderConfig
  const env = { PATH: hostPath.join(":"), HOME: "/nonexistent", npm_config_update_notifier: "false" }
  const user = process.getuid?.() === 0 ? { uid: userIdFirst, gid: userIdFirst } : {}
  const version = async (tool: string, signal: AbortSignal) => {
    const command = ["-c", `exec ${tool} --version`]
    const { stdout } = await run("/bin/sh", command, { env, cwd: "/", signal, ...user })
    return stdout.trim().replace(/^v/, "")
  }
  const ask = Effect.tryPromise({
    try: async (signal): Promise<ToolVersions> => {
      const [node, npm] = await Promise.all([version("node", signal), version("npm", signal)])
      return { node, npm }
    },
    catch: (cause) => new BuilderUnavailable({ operation: "run node and npm as a build would", cause })
  })
  let known: ToolVersions | undefined
  const versions = Effect.suspend(() =>
    known === undefined
      ? Effect.tap(ask, (found) => Effect.sync(() => (known = found)))
      : Effect.succeed(known)
  ).pipe(Semaphore.makeUnsafe(1).withPermit)
  yield* Effect.forkScoped(Effect.ignore(versions))
  return { versions }
})

export const layer: Layer.Layer<Toolchain, never, HostBuilderConfig> = Layer.effect(Toolchain, make)
