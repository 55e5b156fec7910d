/** The grammar of bearer tokens and the hash that stands for them at rest. */
import { hash as digest } from "node:crypto"
import { ClusterId, WorkspaceId } from "@starform/domain/ids/Ids"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/** Who a token claims to be of; the hash has to prove it. */
export type TokenClaim =
  | { readonly _tag: "Operator"; readonly hash: string }
  | { readonly _tag: "Workspace"; readonly workspaceId: WorkspaceId; readonly hash: string }
  | { readonly _tag: "Agent"; readonly clusterId: ClusterId; readonly hash: string }

/** SHA-256 (hex) of the whole token text. */
export const hash = (token: Redacted.Redacted<string>): string =>
  digest("sha256", Redacted.value(token), "hex")

const secret = /^[A-Za-z0-9_-]{43}$/

const decodeWorkspaceId = Schema.decodeUnknownOption(WorkspaceId)
const decodeClusterId = Schema.decodeUnknownOption(ClusterId)

/** `None` for anything that no token of ours looks like. */
export const parse = (token: Redacted.Redacted<string>): Option.Option<TokenClaim> => {
  const text = Redacted.value(token)
  const tokenHash = hash(token)
  if (text.startsWith("sfo_") && secret.test(text.slice(4))) {
    return Option.some({ _tag: "Operator", hash: tokenHash })
  }
  const owner = text.slice(4, 40)
  if (text[40] !== "_" || !secret.test(text.slice(41))) return Option.none()
  if (text.startsWith("sfw_")) {
    return Option.map(decodeWorkspaceId(owner), (workspaceId) => ({
      _tag: "Workspace",
      workspaceId,
      hash: tokenHash
    }))
  }
  if (text.startsWith("sfc_")) {
    return Option.map(decodeClusterId(owner), (clusterId) => ({ _tag: "Agent", clusterId, hash: tokenHash }))
  }
  return Option.none()
}
