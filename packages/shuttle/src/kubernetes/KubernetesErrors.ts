/** What can go wrong with a request to the Kubernetes API: one class per reaction that a caller has. */
import type { ErrorClass } from "@starform/domain/errors/Reaction"
import * as Schema from "effect/Schema"

/** No answer, or one that says "later" (429, 5xx). The same request may succeed. */
export class KubernetesUnreachable extends Schema.TaggedError<KubernetesUnreachable>()(
  "KubernetesUnreachable",
  {
    operation: Schema.String,
    /** `null` without an answer. */
    status: Schema.NullOr(Schema.Int),
    /** What the server asked for, in seconds; `null` when it did not. */
    retryAfterSeconds: Schema.NullOr(Schema.Int),
    cause: Schema.optionalKey(Schema.Defect())
  }
) {
  get class(): ErrorClass {
    return "transient"
  }
  override get message() {
    return `${this.operation}: ${this.status === null ? "no answer" : `status ${this.status}`}`
  }
}

/** The server understood and said no (400, 401, 403, 405, 422, …). Repeating changes nothing by itself. */
export class KubernetesRefused extends Schema.TaggedError<KubernetesRefused>()("KubernetesRefused", {
  operation: Schema.String,
  status: Schema.Int,
  /** Kubernetes' own reason, e.g. `Invalid`, `Forbidden`. */
  reason: Schema.String,
  detail: Schema.String
}) {
  get class(): ErrorClass {
    return "rejected"
  }
  override get message() {
    return `${this.operation}: ${this.status} ${this.reason}: ${this.detail}`
  }
}

/** An answer that is not what the API promises. */
export class KubernetesAnswerMalformed extends Schema.TaggedError<KubernetesAnswerMalformed>()(
  "KubernetesAnswerMalformed",
  { operation: Schema.String, cause: Schema.Defect() }
) {
  get class(): ErrorClass {
    return "terminal"
  }
  override get message() {
    return `${this.operation}: the answer does not fit the API`
  }
}

export class ObjectNotFound extends Schema.TaggedError<ObjectNotFound>()("ObjectNotFound", {
  operation: Schema.String
}) {
  get class(): ErrorClass {
    return "rejected"
  }
  override get message() {
    return `${this.operation}: not found`
  }
}

/** Other managers hold fields that were to be applied. */
export class FieldConflict extends Schema.TaggedError<FieldConflict>()("FieldConflict", {
  operation: Schema.String,
  /** Each as `<path>: <manager>`. */
  fields: Schema.Array(Schema.String)
}) {
  get class(): ErrorClass {
    return "rejected"
  }
  override get message() {
    return `${this.operation}: held by others: ${this.fields.join(", ")}`
  }
}

/** The object of that name is another one than the precondition named, or changed meanwhile. */
export class ObjectReplaced extends Schema.TaggedError<ObjectReplaced>()("ObjectReplaced", {
  operation: Schema.String,
  detail: Schema.String
}) {
  get class(): ErrorClass {
    return "transient"
  }
  override get message() {
    return `${this.operation}: ${this.detail}`
  }
}

/** The server no longer has the version that a list or watch was to go on from (410). List again. */
export class VersionExpired extends Schema.TaggedError<VersionExpired>()("VersionExpired", {
  operation: Schema.String
}) {
  get class(): ErrorClass {
    return "transient"
  }
  override get message() {
    return `${this.operation}: the version is gone`
  }
}

/** This agent does not lead, or no longer: the write was not sent. Whoever leads makes its own. */
export class NotLeading extends Schema.TaggedError<NotLeading>()("NotLeading", {
  operation: Schema.String
}) {
  get class(): ErrorClass {
    return "transient"
  }
  override get message() {
    return `${this.operation}: not sent, because this agent does not lead`
  }
}

/** The kubeconfig, the service account's files, or a credential plugin cannot be used. Needs a human. */
export class KubernetesConnectionUnusable extends Schema.TaggedError<KubernetesConnectionUnusable>()(
  "KubernetesConnectionUnusable",
  { source: Schema.String, problem: Schema.String, cause: Schema.optionalKey(Schema.Defect()) }
) {
  override get message() {
    return `${this.source}: ${this.problem}`
  }
}

/** What any request can meet. */
export type RequestError =
  | KubernetesUnreachable
  | KubernetesRefused
  | KubernetesAnswerMalformed
  | KubernetesConnectionUnusable
