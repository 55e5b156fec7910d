/** What a test and the process of a runner say to each other, over the channel that Node gives a child process. */
import type { EntityKey } from "@starform/starbase/journal/Journal"
import type { Disturbance } from "./Disturbed.ts"

/** A push to this ref has a build that never ends. */
export const hangingRef = "refs/heads/hangs"

/** The first argument of the process, as JSON. */
export interface RunnerSettings extends Disturbance {
  readonly databaseUrl: string
  readonly runnerPort: number
  readonly masterKey: string
}

/** Of an entity, through this process's own door; or which of these entities are its own. */
export type Question =
  | {
      readonly kind: "ask"
      readonly entity: EntityKey
      readonly rpc: string
      readonly payload: unknown
      readonly waitMs: number
    }
  | { readonly kind: "owned"; readonly ids: ReadonlyArray<string> }

export interface Asked {
  readonly id: number
  readonly question: Question
}

/** `ready` once: the process has joined and owns shards. */
export type Said =
  | { readonly kind: "ready" }
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "refusal"; readonly id: number; readonly tag: string; readonly message: string }
