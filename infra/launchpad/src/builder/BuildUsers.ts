/** Which numeric user a build runs as (INV-HBL-3). */
import { createHash } from "node:crypto"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { WorkspaceId } from "@starform/domain/ids/Ids"
import { BuilderUnavailable } from "@starform/starbase/builds/BuildErrors"
import { errnoOf } from "../images/TreeErrors.ts"
import { foldersOf, HostBuilderConfig } from "./HostBuilderConfig.ts"

/** No entry in passwd; user and group have the same number. */
export interface BuildUser {
  readonly uid: number
  readonly gid: number
}

export interface BuildSeat {
  /** `null`: steps run as the user that this process runs as. */
  readonly user: BuildUser | null
  /** Names what belongs to the workspace and this seat only, e.g. npm's cache. */
  readonly name: string
}

export class BuildUsers extends Context.Service<
  BuildUsers,
  {
    /**
     * A seat of the workspace that no other running build has, until the scope closes. Seats are numbered from 0 and
     * keep their user for ever, so that builds that run one after the other share a cache.
     */
    readonly seat: (workspaceId: WorkspaceId) => Effect.Effect<BuildSeat, BuilderUnavailable, Scope.Scope>
  }
>()("@starform/launchpad/builder/BuildUsers") {}

const make = Effect.gen(function* () {
  const config = yield* HostBuilderConfig
  const folder = foldersOf(config).users
  const isRoot = process.getuid?.() === 0
  const taken = new Set<string>()

  /** The first number from the name's hash on that is free or already the name's; the range's first is nobody's. */
  const assign = async (name: string): Promise<BuildUser> => {
    const start = createHash("sha256").update(name).digest().readUInt32BE(0)
    const count = config.userIdCount - 1
    for (let step = 0; step < count; step++) {
      const uid = config.userIdFirst + 1 + ((start + step) % count)
      const path = join(folder, `${uid}`)
      const isOurs = await Fs.writeFile(path, name, { flag: "wx", flush: true }).then(
        () => true,
        (cause: unknown) =>
          errnoOf(cause) === "EEXIST"
            ? Fs.readFile(path, "utf8").then((holder) => holder === name)
            : Promise.reject(cause)
      )
      if (isOurs) return { uid, gid: uid }
    }
    return Promise.reject(new Error("every user id of the range is taken"))
  }

  const occupy = (workspaceId: WorkspaceId) =>
    Effect.sync(() => {
      let number = 0
      while (taken.has(`${workspaceId}.${number}`)) number++
      const name = `${workspaceId}.${number}`
      taken.add(name)
      return name
    })

  const seat: BuildUsers["Service"]["seat"] = (workspaceId) =>
    Effect.acquireRelease(occupy(workspaceId), (name) => Effect.sync(() => taken.delete(name))).pipe(
      Effect.flatMap((name) =>
        isRoot
          ? Effect.tryPromise({
              try: async (): Promise<BuildSeat> => ({ name, user: await assign(name) }),
              catch: (cause) => new BuilderUnavailable({ operation: "assign a user", cause })
            })
          : Effect.succeed({ name, user: null })
      )
    )

  return { seat }
})

export const layer: Layer.Layer<BuildUsers, never, HostBuilderConfig> = Layer.effect(BuildUsers, make)
