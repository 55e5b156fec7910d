/**
 * Pid files of running containers, so that a Launchpad that was killed leaves nothing behind: at the next start every
 * process named here that is still *the same* process (id, start time and marker) is ended.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Path from "node:path"
import { markerVariable } from "./ContainerProcess.ts"
import { carriesMarker, processEntries } from "./internal/processTable.ts"
import { signalGroup } from "./internal/processGroup.ts"
import { KubeletConfig } from "./KubeletConfig.ts"

const RegisteredProcess = Schema.Struct({
  instanceId: Schema.String,
  pid: Schema.Int,
  /** Clock ticks after boot; 0 where the system does not tell. */
  startTime: Schema.Int
})
export type RegisteredProcess = typeof RegisteredProcess.Type

const PidFile = Schema.fromJsonString(RegisteredProcess)

export class OrphanRegister extends Context.Service<
  OrphanRegister,
  {
    /** A pid file that cannot be written is a defect: INV-RUN-1 would be broken without a sign. */
    readonly add: (process: RegisteredProcess) => Effect.Effect<void>
    readonly remove: (instanceId: string) => Effect.Effect<void>
  }
>()("@starform/launchpad/runtime/OrphanRegister") {}

/** Ids of live processes of an earlier Launchpad's container. */
const survivors = (known: RegisteredProcess): ReadonlyArray<number> => {
  const entries = processEntries()
  const marker = `${markerVariable}=${known.instanceId}`
  const leader = entries.some((entry) => entry.pid === known.pid && entry.startTime === known.startTime)
  return entries
    .filter(
      (entry) =>
        entry.startTime >= known.startTime &&
        (carriesMarker(entry.pid, marker) ||
          (leader && (entry.group === known.pid || entry.session === known.pid)))
    )
    .map((entry) => entry.pid)
}

const folderIn = (directory: string): string => Path.join(directory, "processes")

/** Ends what is left of containers of a runtime that is gone; `directory` is its own (`KubeletSettings`). */
export const endOrphans = Effect.fn("OrphanRegister.endOrphans")(function* (directory: string) {
  const files = yield* FileSystem.FileSystem
  const folder = folderIn(directory)
  for (const name of yield* files.readDirectory(folder)) {
    const path = Path.join(folder, name)
    const known = yield* files
      .readFileString(path)
      .pipe(Effect.flatMap(Schema.decodeEffect(PidFile)), Effect.option)
    if (Option.isSome(known)) {
      const ids = survivors(known.value)
      if (ids.length > 0) {
        yield* Effect.logWarning(`ending ${ids.length} process(es) that an earlier start has left`, { ids })
        yield* Effect.sync(() => signalGroup(ids, "SIGKILL"))
      }
    }
    yield* files.remove(path, { force: true })
  }
})

const make = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const { directory } = yield* KubeletConfig
  const folder = folderIn(directory)
  const pathOf = (instanceId: string) => Path.join(folder, `${instanceId}.json`)

  yield* files.makeDirectory(folder, { recursive: true })
  yield* files.chmod(folder, 0o700)
  yield* endOrphans(directory)

  return OrphanRegister.of({
    add: (process) =>
      Schema.encodeEffect(PidFile)(process).pipe(
        Effect.flatMap((text) => files.writeFileString(pathOf(process.instanceId), text, { mode: 0o600 })),
        Effect.orDie
      ),
    remove: (instanceId) => Effect.orDie(files.remove(pathOf(instanceId), { force: true }))
  })
})

/** Ends orphans while it is built. */
export const layerNoDeps = Layer.effect(OrphanRegister, make)
