/** What can go wrong with a request to Starbase, one class per reaction. */
import type { ErrorClass } from "@starform/domain/errors/Reaction"
import * as Schema from "effect/Schema"

/** No answer, a dead connection, or "later" (429, 5xx). */
export class StarbaseUnreachable extends Schema.TaggedError<StarbaseUnreachable>()("StarbaseUnreachable", {
  request: Schema.String,
  status: Schema.NullOr(Schema.Int),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  get class(): ErrorClass {
    return "transient"
  }
  override get message() {
    return `${this.request}: ${this.status === null ? "no answer" : `status ${this.status}`}`
  }
}

/** Starbase does not take the token (401), also not after the file was read again. */
export class TokenRefused extends Schema.TaggedError<TokenRefused>()("TokenRefused", {
  request: Schema.String
}) {
  get class(): ErrorClass {
    return "rejected"
  }
  override get message() {
    return `${this.request}: Starbase refused the token`
  }
}

/** Starbase does not take the join token (401). Which of the reasons it is, it tells nobody. */
export class JoinTokenRefused extends Schema.TaggedError<JoinTokenRefused>()("JoinTokenRefused", {}) {
  get class(): ErrorClass {
    return "rejected"
  }
  override get message() {
    return "the join token was used, its hour is over, or a newer one was issued; ask for another one"
  }
}

/** Starbase does not serve this agent's release (426). What is held stays, and drift is repaired as ever. */
export class AgentNotServed extends Schema.TaggedError<AgentNotServed>()("AgentNotServed", {
  request: Schema.String,
  answer: Schema.String
}) {
  get class(): ErrorClass {
    return "terminal"
  }
  override get message() {
    return `${this.request}: ${this.answer}`
  }
}

/** Starbase understood and said no: unknown cluster, invalid or oversized request. */
export class StarbaseRefused extends Schema.TaggedError<StarbaseRefused>()("StarbaseRefused", {
  request: Schema.String,
  status: Schema.Int
}) {
  get class(): ErrorClass {
    return "rejected"
  }
  override get message() {
    return `${this.request}: status ${this.status}`
  }
}

/** The body of a pull is not a document of the contract. What is held stays. */
export class DocumentMalformed extends Schema.TaggedError<DocumentMalformed>()("DocumentMalformed", {
  cause: Schema.Defect()
}) {
  get class(): ErrorClass {
    return "terminal"
  }
  override get message() {
    return "the answer to the pull is not a document"
  }
}

/** The document's format is above ours: Starbase is newer than this agent. What is held stays. */
export class FormatTooNew extends Schema.TaggedError<FormatTooNew>()("FormatTooNew", {
  format: Schema.Int
}) {
  get class(): ErrorClass {
    return "terminal"
  }
  override get message() {
    return `the document has format ${this.format}; update this agent`
  }
}
