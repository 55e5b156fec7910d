/** Where the agent keeps its credentials: what outlives the process, and here also the pod. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Change, StoredCredential } from "./StoredCredential.ts"

/** What is kept cannot be read or written. Needs a human, and is tried again; never overwritten. */
export class CredentialNotKept extends Schema.TaggedError<CredentialNotKept>()("CredentialNotKept", {
  place: Schema.String,
  problem: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return `${this.place}: ${this.problem}`
  }
}

export class CredentialStore extends Context.Service<
  CredentialStore,
  {
    /** What is kept now; empty when there is nothing. */
    readonly load: Effect.Effect<StoredCredential, CredentialNotKept>
    /**
     * Applies a change to what is kept; on return it is kept. No change writes nothing. Another replica that writes at the same
     * time costs a repeat: the change then sees what that one wrote.
     */
    readonly update: (change: Change) => Effect.Effect<StoredCredential, CredentialNotKept>
  }
>()("@starform/shuttle/credential/CredentialStore") {}
