/** Where the one Lease is that says who leads. */
import type { ErrorClass } from "@starform/domain/errors/Reaction"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { LeaseClaim, LeaseRecord } from "./LeaseRecord.ts"

/** It was not read or written; nobody knows whether it was. Tried again. */
export class LeaseUnavailable extends Schema.TaggedError<LeaseUnavailable>()("LeaseUnavailable", {
  lease: Schema.String,
  problem: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  get class(): ErrorClass {
    return "transient"
  }
  override get message() {
    return `Lease ${this.lease}: ${this.problem}`
  }
}

export class LeaseStore extends Context.Service<
  LeaseStore,
  {
    /** `None` when there is none. */
    readonly read: Effect.Effect<Option.Option<LeaseRecord>, LeaseUnavailable>
    /**
     * Makes it (`before` is `null`), or replaces exactly what was read.
     *
     * @returns `None` when somebody else was first
     */
    readonly write: (
      before: LeaseRecord | null,
      claim: LeaseClaim
    ) => Effect.Effect<Option.Option<LeaseRecord>, LeaseUnavailable>
  }
>()("@starform/shuttle/leadership/LeaseStore") {}
