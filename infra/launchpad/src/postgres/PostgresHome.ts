/**
 * The folder that a server lives in: claimed by one launcher at a time, freed of a server that a killed launcher
 * left behind, and holding an initialised cluster.
 */
import { randomBytes } from "node:crypto"
import { basename, join } from "node:path"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { lastLines, sizeBytes } from "./internal/lastLines.ts"
import { makeTraversable } from "./internal/makeTraversable.ts"
import { commandLine, signal, startMark } from "./internal/processTable.ts"
import { endGroup, spawnAs } from "./internal/spawnAs.ts"
import type { PostgresBinaries } from "./PostgresBinaries.ts"
import { BinaryMissing, DataDirectoryInUse, DataDirectoryUnusable, StartFailed } from "./PostgresErrors.ts"
import { mayEnter, type PostgresUser } from "./PostgresUser.ts"

const Owner = Schema.fromJsonString(Schema.Struct({ pid: Schema.Int, startMark: Schema.String }))

const claimFile = "owner.json"

/** Polling of another process's end. */
const endPollInterval = "50 millis"

/** The process that has claimed the directory, if it lives. */
const livingOwner = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const owner = yield* fs.readFileString(file).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Owner)),
    Effect.orElseSucceed(() => undefined)
  )
  if (owner === undefined) return undefined
  return (yield* startMark(owner.pid)) === owner.startMark ? owner.pid : undefined
})

/** Claims the directory for this process until the scope closes (INV-PG-1). */
export const claim = Effect.fn("PostgresHome.claim")(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const file = join(directory, claimFile)
  const text = yield* Schema.encodeEffect(Owner)({
    pid: process.pid,
    startMark: yield* startMark(process.pid)
  }).pipe(Effect.orDie)
  const write = fs.writeFileString(file, text, { flag: "wx", mode: 0o600 })
  yield* Effect.acquireRelease(
    write.pipe(
      Effect.catchIf(
        (error) => error.reason._tag === "AlreadyExists",
        () =>
          Effect.gen(function* () {
            const pid = yield* livingOwner(file)
            if (pid !== undefined) return yield* new DataDirectoryInUse({ directory, pid })
            yield* fs.remove(file, { force: true })
            yield* write
          })
      )
    ),
    () => Effect.ignore(fs.remove(file, { force: true }))
  )
})

/** The living process that has claimed the directory. */
export const ownerOf = (directory: string) => livingOwner(join(directory, claimFile))

/** Whether a living process has claimed the directory. */
export const isClaimed = (directory: string) => Effect.map(ownerOf(directory), (pid) => pid !== undefined)

/** Whether there is a claim, of a living process or of one that was killed. */
export const hasClaim = Effect.fnUntraced(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* fs.exists(join(directory, claimFile))
})

/** Removes a directory that nobody has claimed, its home with it, after stopping a server that was left behind. */
export const discard = Effect.fn("PostgresHome.discard")(function* (
  directory: string,
  patience: Duration.Input
) {
  const fs = yield* FileSystem.FileSystem
  const noted = yield* fs.readFileString(join(directory, "home")).pipe(Effect.orElseSucceed(() => directory))
  yield* stopOrphan(join(noted, "data"), patience)
  yield* fs.remove(noted, { recursive: true, force: true })
  yield* fs.remove(directory, { recursive: true, force: true })
})

/**
 * Stops a server that runs on the data without a launcher (INV-PG-2): fast, then at once, then by force, each after
 * `patience`. Removes the lock file of a server that is gone.
 */
export const stopOrphan = Effect.fn("PostgresHome.stopOrphan")(function* (
  data: string,
  patience: Duration.Input
) {
  const fs = yield* FileSystem.FileSystem
  const lock = join(data, "postmaster.pid")
  const text = yield* fs.readFileString(lock).pipe(Effect.orElseSucceed(() => ""))
  const pid = Number(text.split("\n")[0])
  if (!Number.isInteger(pid) || pid <= 1) return
  const isOurs = Effect.map(
    commandLine(pid),
    (words) => basename(words[0] ?? "") === "postgres" && words.includes(data)
  )
  for (const name of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
    if (!(yield* isOurs)) break
    yield* Effect.logWarning("stopping a PostgreSQL server that was left behind", { pid, signal: name })
    if (!(yield* signal(pid, name))) break
    yield* isOurs.pipe(
      Effect.repeat({ schedule: Schedule.spaced(endPollInterval), while: (still) => still }),
      Effect.timeoutOption(patience)
    )
  }
  if (yield* isOurs) {
    return yield* new DataDirectoryUnusable({ directory: data, reason: `process ${pid} cannot be stopped` })
  }
  yield* fs.remove(lock, { force: true })
})

/**
 * Where data and log are: the directory itself, or, when `user` cannot get there, a folder of its own below
 * `fallbackDirectory` that the directory remembers.
 */
export const settle = Effect.fn("PostgresHome.settle")(function* (
  directory: string,
  fallbackDirectory: string,
  user: PostgresUser
) {
  const fs = yield* FileSystem.FileSystem
  const note = join(directory, "home")
  const noted = yield* fs.readFileString(note).pipe(Effect.orElseSucceed(() => ""))
  if (noted !== "" && (yield* fs.exists(noted))) return noted
  if (yield* mayEnter(user, directory)) return directory
  if (yield* fs.exists(join(directory, "data"))) {
    return yield* new DataDirectoryUnusable({
      directory,
      reason: `the user ${user.name}, which the server runs as, can no longer enter it`
    })
  }
  const home = join(fallbackDirectory, `postgres-${randomBytes(6).toString("hex")}`)
  yield* makeTraversable(home)
  yield* fs.writeFileString(note, home)
  return home
})

/** Gives the data to the server's user when somebody else's run left it with another owner. */
const own = Effect.fnUntraced(function* (data: string, user: PostgresUser) {
  const fs = yield* FileSystem.FileSystem
  const owner = (yield* fs.stat(data)).uid
  if (owner._tag === "None" || owner.value === user.uid) return
  if (!user.switched) {
    return yield* new DataDirectoryUnusable({
      directory: data,
      reason: `it belongs to user id ${owner.value}, and the server would run as ${user.name} (${user.uid})`
    })
  }
  yield* fs.chown(data, user.uid, user.gid)
  yield* Effect.forEach(
    yield* fs.readDirectory(data, { recursive: true }),
    (name) => fs.chown(join(data, name), user.uid, user.gid),
    { concurrency: 8, discard: true }
  )
})

/** Runs initdb to its end; interruption kills it. */
const run = Effect.fnUntraced(function* (
  user: PostgresUser,
  home: string,
  program: string,
  args: ReadonlyArray<string>
) {
  const log = join(home, "server.log")
  const from = yield* sizeBytes(log)
  const ending = yield* Effect.acquireUseRelease(
    spawnAs(user, program, args, { cwd: home, log }),
    (spawned) => Deferred.await(spawned.ending),
    (spawned) => Effect.andThen(endGroup(spawned), Deferred.await(spawned.ending))
  )
  if (ending.unexecuted !== undefined) {
    return yield* new BinaryMissing({
      platform: `${process.platform}-${process.arch}`,
      reason: `${program} cannot be executed`,
      cause: ending.unexecuted
    })
  }
  if (ending.succeeded) return
  return yield* new StartFailed({
    step: "initdb",
    reason: ending.description,
    lastLines: yield* lastLines(log, from)
  })
})

/** Makes sure that `<home>/data` is a cluster of this major version, owned by `user` (INV-PG-3). */
export const initialise = Effect.fn("PostgresHome.initialise")(function* (
  home: string,
  binaries: PostgresBinaries,
  user: PostgresUser,
  options: { readonly superuser: string; readonly password: Redacted.Redacted; readonly durable: boolean }
) {
  const fs = yield* FileSystem.FileSystem
  const data = join(home, "data")
  if (yield* fs.exists(data)) {
    const major = (yield* fs
      .readFileString(join(data, "PG_VERSION"))
      .pipe(Effect.orElseSucceed(() => ""))).trim()
    if (major === binaries.major) return yield* own(data, user)
    return yield* new DataDirectoryUnusable({
      directory: data,
      reason:
        major === ""
          ? "it is not a PostgreSQL data directory"
          : `it was made by PostgreSQL ${major}, and this is ${binaries.major}`
    })
  }
  for (const name of yield* fs.readDirectory(home)) {
    if (!name.startsWith("data.partial-") && !name.startsWith("password.partial-")) continue
    yield* fs
      .remove(join(home, name), { recursive: true, force: true })
      .pipe(Effect.catch((cause) => Effect.logWarning("left-over of an initialisation stays", cause.message)))
  }
  const attempt = `partial-${randomBytes(6).toString("hex")}`
  const partial = `${data}.${attempt}`
  yield* fs.makeDirectory(partial, { mode: 0o700 })
  const passwordFile = join(home, `password.${attempt}`)
  yield* fs.writeFileString(passwordFile, Redacted.value(options.password), { flag: "wx", mode: 0o600 })
  if (user.switched) {
    yield* fs.chown(partial, user.uid, user.gid)
    yield* fs.chown(passwordFile, user.uid, user.gid)
  }
  const args = "--auth scram-sha-256 --encoding UTF8 --locale C.UTF-8 --no-instructions".split(" ")
  if (!options.durable) args.push("--no-sync")
  args.push("--pgdata", partial, "--username", options.superuser, "--pwfile", passwordFile)
  yield* run(user, home, binaries.initdb, args).pipe(
    Effect.ensuring(Effect.ignore(fs.remove(passwordFile, { force: true })))
  )
  yield* fs.rename(partial, data)
})
