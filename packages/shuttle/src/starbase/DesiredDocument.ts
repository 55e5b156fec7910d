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

export interface HeldDocument {
  readonly revision: Revision.Revision
  readonly hash: Digest
  readonly clusterConfig: ClusterConfig
  readonly apps: ReadonlyMap<AppId, HeldApp>
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

const heldApp = (app: DesiredApp): HeldApp => ({ app, hash: sha256Hex(appHashInput(app)) })

const documentHash = (
  apps: ReadonlyMap<AppId, HeldApp>,
  tombstones: ReadonlyArray<Tombstone>,
  config: ClusterConfig
): Digest =>
  Digest.make(
    `sha256:${sha256Hex(
      documentHashInput(
        Array.from(apps, ([appId, held]) => [appId, held.hash] as const),
        tombstones,
        config
      )
    )}`
  )

/** The apps that `incoming` stands for, when it can be told. */
const appsOf = (
  held: HeldDocument | null,
  incoming: DesiredState
): Result.Result<ReadonlyMap<AppId, HeldApp>, string> => {
  if (incoming.kind === "full") {
    return Result.succeed(new Map(incoming.apps.map((app) => [app.appId, heldApp(app)])))
  }
  if (held === null || held.revision !== incoming.base) {
    return Result.fail(`it is based on ${incoming.base}, held is ${held?.revision ?? "nothing"}`)
  }
  const apps = new Map(held.apps)
  for (const app of incoming.changed) apps.set(app.appId, heldApp(app))
  for (const tombstone of incoming.tombstones) apps.delete(tombstone.appId)
  return Result.succeed(apps)
}

const contradiction = (apps: ReadonlyMap<AppId, HeldApp>, incoming: DesiredState): string | undefined => {
  if (incoming.kind === "full" && apps.size !== incoming.apps.length) return "an app is there twice"
  const both = incoming.tombstones.find((tombstone) => apps.has(tombstone.appId))
  return both === undefined ? undefined : `${both.appId} is wanted and tombstoned`
}

const rejected = (incoming: DesiredState, problem: DocumentRejected["problem"], detail: string) =>
  Result.fail(new DocumentRejected({ revision: incoming.revision, problem, detail }))

/**
 * The document to hold from now on. The same revision again gives the same document.
 */
export const accept = (
  held: HeldDocument | null,
  incoming: DesiredState,
  clusterId: ClusterId,
  limits: PruneLimits
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
  const apps = appsOf(held, incoming)
  if (Result.isFailure(apps)) return rejected(incoming, "UnusableBase", apps.failure)
  const hash = documentHash(apps.success, incoming.tombstones, incoming.clusterConfig)
  if (hash !== incoming.hash)
    return rejected(incoming, "HashMismatch", `named ${incoming.hash}, found ${hash}`)
  const problem = contradiction(apps.success, incoming)
  if (problem !== undefined) return rejected(incoming, "Contradiction", problem)

  const isTrusted = incoming.epochConfirmed || held?.trustedEpoch === epoch
  const admission = admit(
    held?.admitted ?? new Set(),
    {
      apps: apps.success.size,
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
    apps: apps.success,
    tombstones: incoming.tombstones,
    massPruneConfirmed: incoming.massPruneConfirmed,
    epochConfirmed: incoming.epochConfirmed,
    trustedEpoch: isTrusted ? epoch : (held?.trustedEpoch ?? ""),
    admitted: admission.admitted,
    pruneHold: admission.hold
  })
}
