/** Failures of plain HTTP routes as answers: JSON `{ error, message }` with the status of the error's reaction. */
import { statusOf, type WireError } from "@starform/domain/errors/Reaction"
import { InternalFault } from "@starform/domain/errors/RequestErrors"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

/**
 * Answers any wire error; what is no wire error is a fault of ours, logged and named by its tag alone.
 *
 * @param what the kind of request, for the operator's log
 */
export const answerErrors = <R>(
  what: string,
  handled: Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    (WireError & { readonly _tag: string }) | { readonly _tag: "VaultFailure" | "SchemaError" },
    R
  >
) =>
  Effect.catch(handled, (error) => {
    const wire = "reaction" in error ? error : new InternalFault({ reference: error._tag })
    const retryAfter = "retryAfterSeconds" in wire ? { "retry-after": String(wire.retryAfterSeconds) } : {}
    const logged = wire.reaction === "report" ? Effect.logError(what, error) : Effect.logDebug(wire.message)
    return Effect.as(
      logged,
      HttpServerResponse.jsonUnsafe(
        { error: wire._tag, message: wire.person },
        { status: statusOf(wire.reaction), headers: retryAfter }
      )
    )
  })
