/** All that is known of an app when somebody asks why it is not live. Gathered beside this; explained by pure functions. */
import type { AppId } from "@starform/domain/ids/AppId"
import type { Revision } from "@starform/domain/ids/Revision"
import type { Deploy } from "@starform/domain/model/Deploy"
import { isTerminal } from "@starform/domain/model/Deploy"
import type { ObservedPhase } from "@starform/domain/observed/ObservedApp"
import type { BuildView, EntityActivity, WorkflowStatus } from "@starform/domain/protocol/OperatorRpcs"
import type { OutboxBacklog } from "../../../journal/Outbox.ts"

/** Who asks: people hear nothing of runners, shards and other tenants. */
export type Audience = "operator" | "person"

export interface ClusterFacts {
  readonly id: string
  /** `null` when nobody registered it. */
  readonly name: string | null
  readonly revision: Revision | null
  readonly epochConfirmed: boolean
  /** What the cluster was last told about the app, and the number that it came with. */
  readonly entry: { readonly ordinal: number; readonly n: number } | null
  /** `null` when its owner could not be asked: this is memory. */
  readonly agent: { readonly revision: Revision | null; readonly seenAtMs: number | null } | null
  readonly activity: EntityActivity
  readonly outbox: OutboxBacklog | null
}

export interface AppFacts {
  readonly appId: AppId
  readonly nowMs: number
  /** The newest one, ended or not. */
  readonly deploy: (Deploy & { readonly requestedAtMs: number }) | null
  readonly live: { readonly release: number | null; readonly ordinal: number } | null
  /** Of the process types of what is live: copies that somebody wants. */
  readonly copies: number
  readonly observed: {
    readonly ordinal: number
    readonly phase: ObservedPhase
    readonly reason: { readonly code: string; readonly message: string } | null
    readonly sinceMs: number
  } | null
  readonly limits: { readonly buildMs: number; readonly rolloutMs: number; readonly graceMs: number }
  /** `null` when no build is under way. */
  readonly build: BuildView | null
  /** Of the running deploy; `null` when there is none. */
  readonly workflow: WorkflowStatus | null
  readonly outbox: OutboxBacklog | null
  readonly activity: EntityActivity
  readonly cluster: ClusterFacts
}

/** The newest deploy while it has not ended. */
export const activeDeploy = ({ deploy }: AppFacts): AppFacts["deploy"] =>
  deploy !== null && !isTerminal(deploy.phase) ? deploy : null

/** When the newest deploy entered its phase. */
export const phaseSinceMs = ({ deploy }: AppFacts): number =>
  deploy?.phases.at(-1)?.atMs ?? deploy?.requestedAtMs ?? 0

/** `42 s`, `5 min`, `3 h`, `2 days`. */
export const span = (ms: number): string => {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`
}
