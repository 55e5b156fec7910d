/** Ends a build before the disk is full (INV-HBL-4). */
import * as Fs from "node:fs/promises"
import * as Effect from "effect/Effect"
import { BuilderUnavailable } from "@starform/starbase/builds/BuildErrors"
import { DiskFull } from "@starform/starbase/storage/BlobStore"
import { HostBuilderConfig } from "./HostBuilderConfig.ts"

/** Looks at once and then at every interval; ends only by failing. @errors DiskFull when less than `freeBytesMin` is left */
export const diskRunsLow: Effect.Effect<never, DiskFull | BuilderUnavailable, HostBuilderConfig> = Effect.gen(
  function* () {
    const { directory, freeBytesMin, diskCheckInterval } = yield* HostBuilderConfig
    const look = Effect.tryPromise({
      try: () => Fs.statfs(directory),
      catch: (cause) => new BuilderUnavailable({ operation: "look at the free space of its disk", cause })
    }).pipe(
      Effect.filterOrFail(
        ({ bavail, bsize }) => bavail * bsize >= freeBytesMin,
        () => new DiskFull({ operation: "build" })
      )
    )
    return yield* Effect.forever(Effect.andThen(look, Effect.sleep(diskCheckInterval)))
  }
)
