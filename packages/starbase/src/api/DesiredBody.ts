/** From the sealed answer of a Cluster entity to the body of a pull: the one place where secrets are opened for an agent. */
import { createHash } from "node:crypto"
import {
  type DeltaState,
  type DesiredApp,
  format,
  type FullState
} from "@starform/domain/desired/DesiredState"
import { appHashInput, documentHashInput } from "@starform/domain/desired/DocumentHash"
import { Digest } from "@starform/domain/ids/Digest"
import type { ClusterId } from "@starform/domain/ids/Ids"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { DesiredEntry } from "../desired/DesiredEntry.ts"
import type { DesiredAnswer } from "../entities/cluster/ClusterEntity.ts"
import type { Vault } from "../security/Vault.ts"

type Changed = Exclude<DesiredAnswer, { readonly _tag: "Unchanged" }>

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")

/** Hash of an entry by identity: entries are immutable, so one that did not change is hashed once. */
const appHashes = new WeakMap<DesiredEntry, string>()

const withoutValues = (entry: DesiredEntry): DesiredApp => ({
  ...entry,
  variables: entry.variables.map(({ key, secret, value }) => ({
    key,
    secret,
    value: "",
    version: sha256(value.sealed).slice(0, 16)
  }))
})

const hashOf = (entry: DesiredEntry): string => {
  const known = appHashes.get(entry)
  if (known !== undefined) return known
  const hash = sha256(appHashInput(withoutValues(entry)))
  appHashes.set(entry, hash)
  return hash
}

const open = (vault: Vault["Service"], entry: DesiredEntry) =>
  Effect.forEach(withoutValues(entry).variables, (variable, index) =>
    Effect.map(vault.open(entry.workspaceId, entry.variables[index]!.value), (value) => ({
      ...variable,
      value: Redacted.value(value)
    }))
  ).pipe(Effect.map((variables): DesiredApp => ({ ...entry, variables })))

/**
 * @param documentFormat one that the agent understands; there is one so far, so every format has this shape
 * @errors VaultFailure when a workspace's key is gone
 */
export const render = Effect.fnUntraced(function* (
  vault: Vault["Service"],
  clusterId: ClusterId,
  answer: Changed,
  documentFormat: number = format
) {
  const clusterConfig = { lbSizeUnits: answer.lbSizeUnits }
  const tombstones = answer.tombstones.map(({ appId, projectId, namespace, ordinal }) => ({
    appId,
    projectId,
    namespace,
    ordinal
  }))
  const hashes = answer.entries.map((entry) => [entry.appId, hashOf(entry)] as const)
  const shared = {
    format: documentFormat,
    clusterId,
    revision: answer.revision,
    hash: Digest.make(`sha256:${sha256(documentHashInput(hashes, tombstones, clusterConfig))}`),
    clusterConfig,
    tombstones,
    massPruneConfirmed: answer.massPruneConfirmed,
    epochConfirmed: answer.epochConfirmed
  }
  if (answer._tag === "Full") {
    const apps = yield* Effect.forEach(answer.entries, (entry) => open(vault, entry))
    return { kind: "full", ...shared, apps } satisfies FullState
  }
  const ids = new Set<string>(answer.changed)
  const entries = answer.entries.filter(({ appId }) => ids.has(appId))
  const changed = yield* Effect.forEach(entries, (entry) => open(vault, entry))
  return { kind: "delta", ...shared, base: answer.base, changed } satisfies DeltaState
})
