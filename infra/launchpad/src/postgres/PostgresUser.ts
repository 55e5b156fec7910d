/**
 * Whom the server runs as. PostgreSQL refuses root, and initdb refuses a numeric user without a passwd entry:
 * under root it is an existing unprivileged user, otherwise the user that we are.
 */
import { userInfo } from "node:os"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import { NoUnprivilegedUser } from "./PostgresErrors.ts"

export interface PostgresUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
  /** True when the server runs as another user than this process. */
  readonly switched: boolean
}

/** Accounts that may run the server under root, the best first. */
const candidates = ["postgres", "nobody"]

/** The user of the server. Adds none to the machine. */
export const current: Effect.Effect<PostgresUser, NoUnprivilegedUser | PlatformError, FileSystem.FileSystem> =
  Effect.gen(function* () {
    const self = userInfo()
    if (self.uid !== 0) return { name: self.username, uid: self.uid, gid: self.gid, switched: false }
    const fs = yield* FileSystem.FileSystem
    const entries = (yield* fs.readFileString("/etc/passwd")).split("\n").map((line) => line.split(":"))
    for (const name of candidates) {
      const entry = entries.find((fields) => fields[0] === name)
      const uid = Number(entry?.[2])
      const gid = Number(entry?.[3])
      if (uid > 0 && gid > 0) return { name, uid, gid, switched: true }
    }
    return yield* new NoUnprivilegedUser({ tried: candidates })
  })

const READ = 4
const EXECUTE = 1

/** Whether the mode bits give the user these rights (a sum of 4 read, 2 write, 1 execute). */
const permits = (user: PostgresUser, info: FileSystem.File.Info, rights: number): boolean => {
  const shift = Option.contains(info.uid, user.uid) ? 6 : Option.contains(info.gid, user.gid) ? 3 : 0
  return ((info.mode >> shift) & rights) === rights
}

/**
 * Whether the user gets through every folder above `path` that exists, and to `path` itself if it is a folder.
 * Mode bits only: an access list that allows more makes the answer pessimistic.
 */
export const mayEnter = Effect.fnUntraced(function* (
  user: PostgresUser,
  path: string
): Effect.fn.Return<boolean, PlatformError, FileSystem.FileSystem> {
  if (!user.switched) return true
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(path))) return yield* mayEnter(user, dirname(path))
  for (let at = yield* fs.realPath(path); ; at = dirname(at)) {
    const info = yield* fs.stat(at)
    if (info.type === "Directory" && !permits(user, info, EXECUTE)) return false
    if (at === dirname(at)) return true
  }
})

/** Whether the user can get to the file and read and execute it. */
export const mayExecute = Effect.fnUntraced(function* (
  user: PostgresUser,
  file: string
): Effect.fn.Return<boolean, PlatformError, FileSystem.FileSystem> {
  if (!user.switched) return true
  const fs = yield* FileSystem.FileSystem
  return permits(user, yield* fs.stat(file), READ + EXECUTE) && (yield* mayEnter(user, dirname(file)))
})
