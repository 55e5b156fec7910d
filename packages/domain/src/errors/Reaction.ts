/**
 * What a caller can do about an error. An error declares its reaction once; class, HTTP status and whether it
 * marks a span as failed are derived from it.
 */

/** `rejected`: the caller's fault, not an incident. `transient`: the same request may succeed later. `terminal`: needs a human. */
export type ErrorClass = "rejected" | "transient" | "terminal"

const reactions = {
  /** The request can never succeed as it is. */
  correct: { class: "rejected", status: 422 },
  /** The caller is unknown. */
  authenticate: { class: "rejected", status: 401 },
  /** The caller is known and may see the thing, but not do this. */
  askForAccess: { class: "rejected", status: 403 },
  /** No such thing, or none that this caller may know of: deliberately the same answer. */
  lookElsewhere: { class: "rejected", status: 404 },
  /** Something else holds the name, or the state has moved on. */
  readAgain: { class: "rejected", status: 409 },
  /** The body is larger than the limit that the error names. */
  shrink: { class: "rejected", status: 413 },
  /** The caller's program is of another release than those that are served. */
  update: { class: "rejected", status: 426 },
  /** Too much at once; the same request is welcome after the named time. */
  slowDown: { class: "transient", status: 429 },
  /** The outcome is unknown or not to be had now; repeat with the same request id. */
  repeat: { class: "transient", status: 503 },
  /** A broken promise on our side. */
  report: { class: "terminal", status: 500 }
} as const satisfies Record<string, { readonly class: ErrorClass; readonly status: number }>

export type Reaction = keyof typeof reactions

export const classOf = (reaction: Reaction): ErrorClass => reactions[reaction].class

export const statusOf = (reaction: Reaction): number => reactions[reaction].status

/** What every wire error offers beside its fields. */
export interface WireError {
  readonly reaction: Reaction
  /** One line for the person who asked. Never holds anything from a cause. */
  readonly person: string
  /** One line for the operator. */
  readonly message: string
}

/** The annotation that makes `HttpApi` answer with the status of the reaction. */
export const annotation = (reaction: Reaction): { readonly httpApiStatus: number } => ({
  httpApiStatus: statusOf(reaction)
})
