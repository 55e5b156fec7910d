/** The server side of the RPC middleware: a bearer token becomes the principal that handlers see. */
import { Unauthenticated } from "@starform/domain/errors/RequestErrors"
import { CurrentPrincipal } from "@starform/domain/model/Principal"
import { Authentication } from "@starform/domain/protocol/Authentication"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Authenticator } from "../security/Authenticator.ts"
import * as BearerToken from "./BearerToken.ts"

export const layerNoDeps = Layer.effect(
  Authentication,
  Effect.gen(function* () {
    const authenticator = yield* Authenticator
    return Authentication.of((effect, { headers }) => {
      const token = BearerToken.fromHeaders(headers)
      if (Option.isNone(token)) return Effect.fail(new Unauthenticated({}))
      return authenticator
        .authenticate(token.value)
        .pipe(Effect.flatMap((principal) => Effect.provideService(effect, CurrentPrincipal, principal)))
    })
  })
)
