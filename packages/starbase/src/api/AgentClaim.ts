/** What a request at the agents' door claims: which cluster, by which credential, and of which release its agent is. */
import { InvalidInput, Unauthenticated } from "@starform/domain/errors/RequestErrors"
import type { ClusterId } from "@starform/domain/ids/Ids"
import {
  type AgentRelease,
  AgentVersion,
  formatHeader,
  standingHeader,
  standingOf,
  unsaid,
  versionHeader
} from "@starform/domain/protocol/VersionSkew"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { KnownOwners } from "../security/KnownOwners.ts"
import * as Token from "../security/Token.ts"

const bearer = /^Bearer (\S{1,256})$/

export interface AgentClaim {
  readonly clusterId: ClusterId
  /** Of the token that the request came with. Nothing is proved yet: the entity compares it. */
  readonly tokenHash: string
  readonly agent: AgentRelease
}

const decodeVersion = Schema.decodeUnknownOption(AgentVersion)
const formatNumber = /^\d{1,4}$/

const invalid = (field: string, problem: string) => new InvalidInput({ field, problem })

/** What the agent says that it is. */
const releaseOf = (
  headers: Readonly<Record<string, string | undefined>>
): Effect.Effect<AgentRelease, InvalidInput> => {
  const version = headers[versionHeader] ?? unsaid.version
  const format = headers[formatHeader] ?? String(unsaid.format)
  if (Option.isNone(decodeVersion(version))) return Effect.fail(invalid(versionHeader, "must be a version"))
  if (!formatNumber.test(format)) return Effect.fail(invalid(formatHeader, "must be a whole number"))
  return Effect.succeed({ version, format: Number(format) })
}

/** `401` unless the token is of that kind, names the cluster in the path, and that exists (INV-SEC-3, INV-SEC-5). */
export const claimOf = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  kind: "Agent" | "Join" = "Agent"
): Effect.fn.Return<
  AgentClaim,
  Unauthenticated | InvalidInput | Effect.Error<ReturnType<KnownOwners["Service"]["hasCluster"]>>,
  HttpRouter.RouteContext | KnownOwners
> {
  const params = yield* HttpRouter.params
  const text = bearer.exec(request.headers["authorization"] ?? "")?.[1]
  const claim = text === undefined ? Option.none() : Token.parse(Redacted.make(text))
  if (Option.isNone(claim) || claim.value._tag !== kind) return yield* new Unauthenticated({})
  const { clusterId, hash: tokenHash } = claim.value
  if (clusterId !== params["cluster_id"]) return yield* new Unauthenticated({})
  const owners = yield* KnownOwners
  if (!(yield* owners.hasCluster(clusterId))) return yield* new Unauthenticated({})
  return { clusterId, tokenHash, agent: yield* releaseOf(request.headers) }
})

/** Told with every answer. */
export const standing = ({ agent }: AgentClaim): Readonly<Record<string, string>> => ({
  [standingHeader]: standingOf(agent)
})
