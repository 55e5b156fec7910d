/** The middleware that every public RPC passes: it turns a credential into the principal that handlers see. */
import * as RpcMiddleware from "effect/rpc/RpcMiddleware"
import * as Schema from "effect/Schema"
import { Unauthenticated, Unavailable } from "../errors/RequestErrors.ts"
import type { CurrentPrincipal } from "../model/Principal.ts"

/** Server side: reads `Authorization: Bearer …`. Client side: adds it. */
export class Authentication extends RpcMiddleware.Service<Authentication, { provides: CurrentPrincipal }>()(
  "@starform/domain/protocol/Authentication",
  { error: Schema.Union([Unauthenticated, Unavailable]), requiredForClient: true }
) {}
