/** What a document that arrived means for the one that is held. Pure: decides, keeps nothing. */
import {
  type ClusterConfig,
  type DesiredApp,
  type DesiredState,
  format,
  type Tombstone
} from "@starform/domain/desired/DesiredState"
import { appHashInput, documentHashInput } from "@starform/domain/desired/DocumentHash"
import type { AppId } from "@starform/domain/ids/AppId"
import { Digest } from "@starform/domain/ids/Digest"
import type { ClusterId } from "@starform/domain/ids/Ids"
import * as Revision from "@starform/domain/ids/Revision"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { sha256Hex } from "../hashing/Sha256.ts"
import { admit, type PruneHold, type PruneLimits } from "./PruneGate.ts"

export interface HeldApp {
  readonly app: DesiredApp
  /** Changes with the entry. */
  readonly hash: string
}

/** An app's entry that this agent cannot make so: malformed, or of a later Starbase. What runs of it stays as it is. */
export const UnreadableEntry = Schema.Struct({
  /** As it came; not even a valid one, perhaps. */
  appId: Schema.String,
  /** 0 when it cannot be read either. */
  ordinal: Schema.Int,
  /** Of what came, for the document's own hash. */
  hash: Schema.String,
  code: Schema.Literals(["EntryMalformed", "EntryTooNew", "ImageWithoutDigest"]),
  /** For the person who pushed; holds no value of the entry. */
  problem: Schema.String
})
export type UnreadableEntry = typeof UnreadableEntry.Type

export interface HeldDocument {
  readonly revision: Revision.Revision
  readonly hash: Digest
  readonly clusterConfig: ClusterConfig
  readonly apps: ReadonlyMap<AppId, HeldApp>
  /** No app is in both. */
  readonly unreadable: ReadonlyMap<string, UnreadableEntry>
  readonly tombstones: ReadonlyArray<Tombstone>
  readonly massPruneConfirmed: boolean
  readonly epochConfirmed: boolean
  /** The last epoch in which pruning was allowed; empty before the first. */
  readonly trustedEpoch: string
  /** `tombstoneKey` of the tombstones that may be acted on. */
  readonly admitted: ReadonlySet<string>
  readonly pruneHold: PruneHold | null
}

/** The held document stays. `askForFull`: the next pull should ask for the whole. */
export class DocumentRejected extends Schema.TaggedError<DocumentRejected>()("DocumentRejected", {
  revision: Schema.String,
  problem: Schema.Literals([
    "NewerFormat",
    "OtherCluster",
    "LowerRevision",
    "UnusableBase",
    "HashMismatch",
    "Contradiction"
  ]),
  detail: Schema.String
}) {
  get askForFull(): boolean {
    return this.problem === "UnusableBase" || this.problem === "HashMismatch"
  }
  override get message() {
    return `document ${this.revision} rejected: ${this.problem}: ${this.detail}`
  }
}

interface Entries {
  readonly apps: ReadonlyMap<AppId, HeldApp>
  readonly unreadable: ReadonlyMap<string, UnreadableEntry>
}

const heldApp = (app: DesiredApp): HeldApp => ({ app, hash: sha256Hex(appHashInput(app)) })

const documentHash = (
  { apps, unreadable }: Entries,
  tombstones: ReadonlyArray<Tombstone>,
  config: ClusterConfig
): Digest =>
  Digest.make(
    `sha256:${sha256Hex(
      documentHashInput(
        Array.from([...apps, ...unreadable], ([appId, { hash }]) => [appId, hash] as const),
        tombstones,
        config
      )
    )}`
  )

const byId = (entries: ReadonlyArray<UnreadableEntry>): ReadonlyMap<string, UnreadableEntry> =>
  new Map(entries.map((entry) => [entry.appId, entry]))

/** The apps that `incoming` stands for, when it can be told. */
const entriesOf = (
  held: HeldDocument | null,
  incoming: DesiredState,
  arrived: ReadonlyArray<UnreadableEntry>
): Result.Result<Entries, string> => {
  if (incoming.kind === "full") {
    const apps = new Map(incoming.apps.map((app) => [app.appId, heldApp(app)]))
    return Result.succeed({ apps, unreadable: byId(arrived) })
  }
  if (held === null || held.revision !== incoming.base) {
    return Result.fail(`it is based on ${incoming.base}, held is ${held?.revision ?? "nothing"}`)
  }
  const apps = new Map<string, HeldApp>(held.apps)
  const unreadable = new Map(held.unreadable)
  for (const { appId } of [...incoming.changed, ...incoming.tombstones, ...arrived]) {
    apps.delete(appId)
    unreadable.delete(appId)
  }
  for (const app of incoming.changed) apps.set(app.appId, heldApp(app))
  for (const entry of arrived) unreadable.set(entry.appId, entry)
  return Result.succeed({
    apps: new Map(Array.from(apps.values(), (held) => [held.app.appId, held])),
    unreadable
  })
}

const contradiction = (
  { apps, unreadable }: Entries,
  incoming: DesiredState,
  arrived: ReadonlyArray<UnreadableEntry>
): string | undefined => {
  const count = incoming.kind === "full" ? incoming.apps.length + arrived.length : null
  const isTwice = [...apps.keys()].some((appId) => unreadable.has(appId))
  if (isTwice || (count !== null && apps.size + unreadable.size !== count)) return "an app is there twice"
  const both = incoming.tombstones.find(({ appId }) => apps.has(appId) || unreadable.has(appId))
  return both === undefined ? undefined : `${both.appId} is wanted and tombstoned`
}

const rejected = (incoming: DesiredState, problem: DocumentRejected["problem"], detail: string) =>
  Result.fail(new DocumentRejected({ revision: incoming.revision, problem, detail }))

/**
 * The document to hold from now on. The same revision again gives the same document.
 *
 * @param arrived entries of `incoming` that could not be read, which it does not hold
 */
export const accept = (
  held: HeldDocument | null,
  incoming: DesiredState,
  clusterId: ClusterId,
  limits: PruneLimits,
  arrived: ReadonlyArray<UnreadableEntry> = []
): Result.Result<HeldDocument, DocumentRejected> => {
  if (incoming.format > format) {
    return rejected(incoming, "NewerFormat", `format ${incoming.format}, this agent knows ${format}`)
  }
  if (incoming.clusterId !== clusterId) return rejected(incoming, "OtherCluster", incoming.clusterId)
  const { epoch, n } = Revision.parse(incoming.revision)
  const known = held === null ? null : Revision.parse(held.revision)
  if (known !== null && known.epoch === epoch && n < known.n) {
    return rejected(incoming, "LowerRevision", `held is ${known.epoch}-${known.n}`)
  }
  const entries = entriesOf(held, incoming, arrived)
  if (Result.isFailure(entries)) return rejected(incoming, "UnusableBase", entries.failure)
  const { apps, unreadable } = entries.success
  const hash = documentHash(entries.success, incoming.tombstones, incoming.clusterConfig)
  if (hash !== incoming.hash)
    return rejected(incoming, "HashMismatch", `named ${incoming.hash}, found ${hash}`)
  const problem = contradiction(entries.success, incoming, arrived)
  if (problem !== undefined) return rejected(incoming, "Contradiction", problem)

  const isTrusted = incoming.epochConfirmed || held?.trustedEpoch === epoch
  const admission = admit(
    held?.admitted ?? new Set(),
    {
      apps: apps.size + unreadable.size,
      tombstones: incoming.tombstones,
      massPruneConfirmed: incoming.massPruneConfirmed,
      epochConfirmed: isTrusted
    },
    limits
  )
  return Result.succeed({
    revision: incoming.revision,
    hash,
    clusterConfig: incoming.clusterConfig,
    apps,
    unreadable,
    tombstones: incoming.tombstones,
    massPruneConfirmed: incoming.massPruneConfirmed,
    epochConfirmed: incoming.epochConfirmed,
    trustedEpoch: isTrusted ? epoch : (held?.trustedEpoch ?? ""),
    admitted: admission.admitted,
    pruneHold: admission.hold
  })
}
