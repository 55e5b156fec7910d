/** Lists and look-ups for the API: rows written in the transaction of the append, so never ahead of or behind it. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { JournalUnavailable } from "./Journal.ts"

export class ReadModels extends Context.Service<
  ReadModels,
  {
    readonly get: (model: string, key: string) => Effect.Effect<Option.Option<unknown>, JournalUnavailable>
    /** Rows of a parent, ordered by key. */
    readonly list: (
      model: string,
      parent: string
    ) => Effect.Effect<ReadonlyArray<unknown>, JournalUnavailable>
    /** Who holds a reserved name: the entity's id. */
    readonly holder: (kind: string, name: string) => Effect.Effect<Option.Option<string>, JournalUnavailable>
  }
>()("@starform/starbase/journal/ReadModels") {}
