/** What a failed statement says about its outcome. */
import * as Predicate from "effect/Predicate"
import type { SqlError } from "effect/sql/SqlError"

/**
 * `raced`: another transaction was faster, nothing was written, the next attempt sees it. `refused`: the server will
 * not take these values, nothing was written. `lost`: anything else; after a write the outcome is unknown.
 */
export type SqlFailure = "raced" | "refused" | "lost"

/** Classes of SQLSTATE that a statement's own values cause: data, constraints, limits. */
const refusedClasses: ReadonlySet<string> = new Set(["21", "22", "23", "54"])

const raced: ReadonlySet<string> = new Set(["UniqueViolation", "DeadlockError", "SerializationError"])

export const sqlFailure = ({ reason }: SqlError): SqlFailure => {
  if (raced.has(reason._tag)) return "raced"
  const { cause } = reason
  // The client could not encode the values: nothing was sent.
  if (Predicate.isTagged(cause, "PgTypesCodecError")) return "refused"
  const code = Predicate.hasProperty(cause, "code") ? String(cause.code) : ""
  return refusedClasses.has(code.slice(0, 2)) ? "refused" : "lost"
}
