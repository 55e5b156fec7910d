/** Errors that any request to Starbase can meet, whichever entity it is for. */
import * as Schema from "effect/Schema"
import { annotation, type Reaction, type WireError } from "./Reaction.ts"

/** No token, or one that nobody issued. Says nothing about which. */
export class Unauthenticated
  extends Schema.TaggedError<Unauthenticated>()("Unauthenticated", {}, annotation("authenticate"))
  implements WireError
{
  get reaction(): Reaction {
    return "authenticate"
  }
  get person() {
    return "This token is not valid. Use a token of the workspace."
  }
  override get message() {
    return "no valid credential"
  }
}

/** The thing does not exist, or this principal may not know that it does. */
export class NotFound
  extends Schema.TaggedError<NotFound>()(
    "NotFound",
    { kind: Schema.String, name: Schema.String },
    annotation("lookElsewhere")
  )
  implements WireError
{
  get reaction(): Reaction {
    return "lookElsewhere"
  }
  get person() {
    return `There is no ${this.kind} "${this.name}" here, or you have no access to it.`
  }
  override get message() {
    return `${this.kind} ${this.name}: unknown or hidden from this principal`
  }
}

/** The principal may see the thing but lacks the right that the action needs. */
export class Forbidden
  extends Schema.TaggedError<Forbidden>()("Forbidden", { action: Schema.String }, annotation("askForAccess"))
  implements WireError
{
  get reaction(): Reaction {
    return "askForAccess"
  }
  get person() {
    return `You may not ${this.action} with this token.`
  }
  override get message() {
    return `principal lacks the right to ${this.action}`
  }
}

/** One field of the request breaks its rule. */
export class InvalidInput
  extends Schema.TaggedError<InvalidInput>()(
    "InvalidInput",
    { field: Schema.String, problem: Schema.String },
    annotation("correct")
  )
  implements WireError
{
  get reaction(): Reaction {
    return "correct"
  }
  get person() {
    return `${this.field}: ${this.problem}`
  }
  override get message() {
    return `invalid ${this.field}: ${this.problem}`
  }
}

/** A name that must be unique is held by something else. */
export class NameTaken
  extends Schema.TaggedError<NameTaken>()(
    "NameTaken",
    { kind: Schema.String, name: Schema.String },
    annotation("readAgain")
  )
  implements WireError
{
  get reaction(): Reaction {
    return "readAgain"
  }
  get person() {
    return `The ${this.kind} "${this.name}" is taken. Choose another.`
  }
  override get message() {
    return `${this.kind} ${this.name} is reserved by another owner`
  }
}

/** The agent is of a release that this Starbase does not serve. What runs in its cluster goes on running. */
export class AgentNotServed
  extends Schema.TaggedError<AgentNotServed>()(
    "AgentNotServed",
    { version: Schema.String, served: Schema.String },
    annotation("update")
  )
  implements WireError
{
  get reaction(): Reaction {
    return "update"
  }
  get person() {
    return `Shuttle ${this.version} is not served here. Run one of ${this.served}.`
  }
  override get message() {
    return `an agent of ${this.version} is not served; served are ${this.served}`
  }
}

/** The request id was used before with another payload. A repeat must be the same request. */
export class RequestIdReused
  extends Schema.TaggedError<RequestIdReused>()(
    "RequestIdReused",
    { requestId: Schema.String },
    annotation("readAgain")
  )
  implements WireError
{
  get reaction(): Reaction {
    return "readAgain"
  }
  get person() {
    return "This request id belongs to another request. Use a fresh one."
  }
  override get message() {
    return `request id ${this.requestId} was used with another payload`
  }
}

/** Nothing is known about the outcome; the same request with the same id settles it. */
export class Unavailable
  extends Schema.TaggedError<Unavailable>()("Unavailable", { what: Schema.String }, annotation("repeat"))
  implements WireError
{
  get reaction(): Reaction {
    return "repeat"
  }
  get person() {
    return "Starform could not answer just now. Nothing is lost: try again."
  }
  override get message() {
    return `${this.what} is unavailable; the outcome is unknown until the request is repeated`
  }
}

/** More requests are waiting than this entity takes. */
export class Overloaded
  extends Schema.TaggedError<Overloaded>()(
    "Overloaded",
    { what: Schema.String, retryAfterSeconds: Schema.Int },
    annotation("slowDown")
  )
  implements WireError
{
  get reaction(): Reaction {
    return "slowDown"
  }
  get person() {
    return `Too many requests at once. Try again in ${this.retryAfterSeconds} s.`
  }
  override get message() {
    return `${this.what} is overloaded; retry after ${this.retryAfterSeconds} s`
  }
}

/** Something stored cannot be read or a promise of ours is broken; an operator must look. */
export class InternalFault
  extends Schema.TaggedError<InternalFault>()(
    "InternalFault",
    { reference: Schema.String },
    annotation("report")
  )
  implements WireError
{
  get reaction(): Reaction {
    return "report"
  }
  get person() {
    return `Something broke on our side (reference ${this.reference}). It has been reported.`
  }
  override get message() {
    return `internal fault ${this.reference}`
  }
}
