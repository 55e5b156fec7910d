/** Who asks at the operators' door, and how it answers. */
import { NotFound, Unauthenticated } from "@starform/domain/errors/RequestErrors"
import type { Principal } from "@starform/domain/model/Principal"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import { Authenticator } from "../../security/Authenticator.ts"
import * as BearerToken from "../BearerToken.ts"
import { isStorable } from "../StorableText.ts"

/**
 * INV-OPR-1: whoever is known but no operator is answered as if there were nothing here.
 *
 * @param kind and name of what is asked for, as its absence is told
 */
export const operator = Effect.fnUntraced(function* (kind: string, name: string) {
  const authenticator = yield* Authenticator
  const request = yield* HttpServerRequest.HttpServerRequest
  const token = BearerToken.fromHeaders(request.headers)
  if (Option.isNone(token)) return yield* new Unauthenticated({})
  const principal: Principal = yield* authenticator.authenticate(token.value)
  // What cannot be stored was never there.
  if (principal._tag !== "Operator" || !isStorable(name)) return yield* new NotFound({ kind, name })
  return principal
})

export const json = (body: unknown) =>
  HttpServerResponse.jsonUnsafe(body, { headers: { "cache-control": "no-store" } })
