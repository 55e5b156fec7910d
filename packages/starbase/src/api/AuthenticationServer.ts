/** The server side of the RPC middleware: a bearer token becomes the principal that handlers see. */
import { Unauthenticated } from "@starform/domain/errors/RequestErrors"
import { CurrentPrincipal } from "@starform/domain/model/Principal"
import { Authentication } from "@starform/domain/protocol/Authentication"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Authenticator } from "../security/Authenticator.ts"

const bearer = /^Bearer ([\x21-\x7e]{1,256})$/

export const layerNoDeps = Layer.effect(
  Authentication,
  Effect.gen(function* () {
    const authenticator = yield* Authenticator
    return Authentication.of((effect, { headers }) => {
      const token = bearer.exec(headers["authorization"] ?? "")?.[1]
      if (token === undefined) return Effect.fail(new Unauthenticated({}))
      return authenticator
        .authenticate(Redacted.make(token))
        .pipe(Effect.flatMap((principal) => Effect.provideService(effect, CurrentPrincipal, principal)))
    })
  })
)
