/**
 * One part of a sweep as it is stored. Pure. Without the ids, which follow from the rest and would be half of the bytes;
 * compressed before it is sealed.
 */
import { type PodSnapshot, SnapshotFacts } from "@starform/domain/observed/PodSnapshot"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { gunzipSync, gzipSync } from "node:zlib"
import { withId } from "../reports/PodSnapshots.ts"
import { openBytes, sealBytes, StateNotOpened } from "./StateCipher.ts"

/** Version 1 of the stored form; another one is not read. */
export const StoredSnapshots = Schema.Struct({
  version: Schema.Literal(1),
  snapshots: Schema.Array(SnapshotFacts)
})

const codec = Schema.fromJsonString(StoredSnapshots)
const encode = Schema.encodeSync(codec)
const decode = Schema.decodeUnknownEffect(codec)

/** @param context authenticated: a segment opens under its own name only */
export const sealSnapshots = (
  key: Uint8Array,
  context: string,
  snapshots: ReadonlyArray<PodSnapshot>
): Uint8Array => sealBytes(key, context, gzipSync(encode({ version: 1, snapshots })))

export const openSnapshots = Effect.fnUntraced(function* (
  key: Uint8Array,
  context: string,
  sealed: Uint8Array
): Effect.fn.Return<ReadonlyArray<PodSnapshot>, StateNotOpened> {
  const packed = yield* openBytes(key, context, sealed)
  const { snapshots } = yield* Effect.try({
    try: () => gunzipSync(packed).toString("utf8"),
    catch: (cause) => new StateNotOpened({ problem: "it is not compressed", cause })
  }).pipe(
    Effect.flatMap((text) =>
      Effect.mapError(
        decode(text),
        (cause) => new StateNotOpened({ problem: "it was stored by another version", cause })
      )
    )
  )
  return snapshots.map(withId)
})
