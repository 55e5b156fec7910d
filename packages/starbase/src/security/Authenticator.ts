/** From a bearer token to the principal that acts. Says nothing about what is wrong with a token (INV-SEC-3). */
import { Unauthenticated, Unavailable } from "@starform/domain/errors/RequestErrors"
import type { WorkspaceId } from "@starform/domain/ids/Ids"
import type { Principal } from "@starform/domain/model/Principal"
import * as Cache from "effect/Cache"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { EntityClients } from "../entities/EntityClients.ts"
import { StarbaseConfig } from "../StarbaseConfig.ts"
import { KnownOwners } from "./KnownOwners.ts"
import * as Token from "./Token.ts"

/** Oldest authorisation fact that a process acts on (design §4). */
export const factsMaxAge = Duration.seconds(5)

/** Workspaces whose facts are kept per process. */
const workspacesKept = 10_000

export class Authenticator extends Context.Service<
  Authenticator,
  {
    /** @errors Unauthenticated for any token that is not valid now; Unavailable when nobody can tell */
    readonly authenticate: (
      token: Redacted.Redacted<string>
    ) => Effect.Effect<Principal, Unauthenticated | Unavailable>
    /** Forgets what is known of a workspace's tokens, after this process changed them. */
    readonly forget: (workspaceId: WorkspaceId) => Effect.Effect<void>
  }
>()("@starform/starbase/security/Authenticator") {}

const unauthenticated = Effect.fail(new Unauthenticated({}))

export const layerNoDeps = Layer.effect(
  Authenticator,
  Effect.gen(function* () {
    const { operatorTokenHash } = yield* StarbaseConfig
    const entities = yield* EntityClients
    const owners = yield* KnownOwners

    const tokens = yield* Cache.makeWith(
      (workspaceId: WorkspaceId) =>
        entities
          .tenant(workspaceId, (tenant) => tenant.GetTenant())
          .pipe(
            Effect.map((state) => state.tokens),
            Effect.catchTag("NotFound", () => Effect.succeed([])),
            Effect.mapError(() => new Unavailable({ what: `workspace ${workspaceId}` }))
          ),
      { capacity: workspacesKept, timeToLive: (exit) => (exit._tag === "Success" ? factsMaxAge : 0) }
    )

    const authenticate = Effect.fnUntraced(function* (token: Redacted.Redacted<string>) {
      const parsed = Token.parse(token)
      if (Option.isNone(parsed)) return yield* unauthenticated
      const claim = parsed.value
      if (claim._tag === "Agent" || claim._tag === "Join") return yield* unauthenticated
      if (claim._tag === "Operator") {
        return claim.hash === operatorTokenHash
          ? ({ _tag: "Operator" } as const satisfies Principal)
          : yield* unauthenticated
      }
      const { workspaceId, hash } = claim
      if (!(yield* owners.hasWorkspace(workspaceId))) return yield* unauthenticated
      const known = yield* Cache.get(tokens, workspaceId)
      const record = known.find((candidate) => candidate.hash === hash)
      if (record === undefined) return yield* unauthenticated
      const { id: tokenId, canWrite } = record
      return { _tag: "Token", workspaceId, tokenId, canWrite } as const satisfies Principal
    })

    return Authenticator.of({
      authenticate,
      forget: (workspaceId) => Cache.invalidate(tokens, workspaceId)
    })
  })
)
