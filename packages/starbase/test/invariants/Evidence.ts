/** What a run leaves behind, for the invariants to judge. Plain values: a fault test reads them from Postgres, a simulation from memory. */
import type { AppId } from "@starform/domain/ids/AppId"
import type { DeployId } from "@starform/domain/ids/Ids"
import type { Revision } from "@starform/domain/ids/Revision"
import type { DeployPhase } from "@starform/domain/model/Deploy"
import type { EntityKey, StoredEvent } from "@starform/starbase/journal/Journal"

/** A command whose caller was answered with success. A repeat under the same request id is one more of these. */
export interface Acknowledgement {
  readonly entity: EntityKey
  readonly requestId: string
  /** As the caller got it; anything that `deepStrictEqual` can compare. */
  readonly reply: unknown
  /** How many events one effect of the command appends, where the test knows. */
  readonly appends?: number
}

export interface JournalOf {
  readonly entity: EntityKey
  /** All of them, in the order of the store. */
  readonly events: ReadonlyArray<StoredEvent>
}

/** A row of `requests`: `sequence` is that of the entity's newest event once the command had taken effect. */
export interface KeptRequest {
  readonly entity: EntityKey
  readonly requestId: string
  readonly sequence: number
}

/**
 * What one incarnation did to one entity's journal, oldest first over all incarnations. `sequence` is that of the newest
 * event that the incarnation knows afterwards; a fenced one knows nothing any more.
 */
export type Step =
  | {
      readonly kind: "loaded" | "appended"
      readonly writer: string
      readonly entity: EntityKey
      readonly sequence: number
    }
  | { readonly kind: "fenced"; readonly writer: string; readonly entity: EntityKey }

/** The revisions of one cluster that one agent was told, in the order in which it heard them. */
export interface RevisionsSeen {
  readonly cluster: string
  readonly observer: string
  readonly revisions: ReadonlyArray<Revision>
}

export interface AcceptedPush {
  readonly deployId: DeployId
  readonly acceptedAtMs: number
  /** Sum of the deadlines of its phases, and the grace of whoever ends lost deploys. */
  readonly deadlineMs: number
  /** The phase that it was last known in, and since when. */
  readonly phase: DeployPhase
  readonly sinceMs: number
}

/** One app once nothing happens any more: what its App decided, what its Cluster holds, and what its agent reported. */
export interface AppAtRest {
  readonly appId: AppId
  /** `null`: nothing is to run. */
  readonly desired: { readonly ordinal: number; readonly releaseId: string } | null
  readonly entry: { readonly ordinal: number; readonly releaseId: string } | null
  readonly observed: {
    readonly ordinal: number
    readonly releaseId: string | null
    readonly phase: string
  } | null
}

/** One journey of a tenant that nothing was wrong with, while something was wrong with another one. */
export interface BystandersJourney {
  readonly tenant: string
  readonly what: string
  /** What was wrong, and with whom. */
  readonly fault: string
  /**
   * Where time is virtual, a delay is exact: what the journey took, and at most may take, in milliseconds. Where it is real,
   * the order of events is all that counts: whether the journey ended while the fault went on.
   */
  readonly judged: { readonly tookMs: number; readonly limitMs: number } | { readonly endedInFault: boolean }
}

/** What a run knows; what it knows nothing of is left empty and proves nothing. */
export interface Evidence {
  /** When it was gathered, by the clock that the deploys' times are of. */
  readonly atMs: number
  readonly acknowledged: ReadonlyArray<Acknowledgement>
  readonly journals: ReadonlyArray<JournalOf>
  readonly requests: ReadonlyArray<KeptRequest>
  readonly steps: ReadonlyArray<Step>
  readonly revisions: ReadonlyArray<RevisionsSeen>
  readonly pushes: ReadonlyArray<AcceptedPush>
  readonly rest: ReadonlyArray<AppAtRest>
  readonly bystanders: ReadonlyArray<BystandersJourney>
}

export const nothing: Evidence = {
  atMs: 0,
  acknowledged: [],
  journals: [],
  requests: [],
  steps: [],
  revisions: [],
  pushes: [],
  rest: [],
  bystanders: []
}
