/** What is told about one app, and the parts of it that do not depend on what runs. Pure. */
import { AppId } from "@starform/domain/ids/AppId"
import { DeployId, ReleaseId } from "@starform/domain/ids/Ids"
import type { ObservedApp } from "@starform/domain/observed/ObservedApp"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ObservedObject } from "../kubernetes/ObservedObject.ts"
import {
  deploymentIdAnnotation,
  ordinalAnnotation,
  releaseIdAnnotation
} from "../manifests/ShuttleAnnotations.ts"
import type { AppOutcome } from "../reconcile/AppOutcome.ts"
import type { UnreadableEntry } from "../starbase/DesiredDocument.ts"

/** The pod whose output explains a reason. */
export interface FailingPod {
  readonly namespace: string
  readonly name: string
  readonly isInPreviousRun: boolean
  /** It answers, but not as its check wants: what the check saw explains more than its output. */
  readonly isProbed: boolean
  readonly restarts: number
}

export interface Seen {
  /** `output` is empty; it is fetched for `failing`. */
  readonly status: ObservedApp
  readonly failing: FailingPod | null
  /** Time alone may change it: make a problem final, or a silence one. */
  readonly isTicking: boolean
}

/** An attempt that did not end well. */
export type Blocked = Extract<AppOutcome, { readonly _tag: "Retrying" | "Refused" }>

const decodeDeployId = Schema.decodeUnknownOption(DeployId)
const decodeReleaseId = Schema.decodeUnknownOption(ReleaseId)
const decodeAppId = Schema.decodeUnknownOption(AppId)

/** Of the deploy that wrote an object; -1 when it does not say. */
export const ordinalOf = (object: ObservedObject): number => {
  const ordinal = Number(object.annotations[ordinalAnnotation])
  return Number.isSafeInteger(ordinal) ? ordinal : -1
}

/** The deploy and the release that an object says it is of. */
export const deployOf = (object: ObservedObject): Pick<ObservedApp, "deployId" | "releaseId"> => ({
  deployId: Option.getOrNull(decodeDeployId(object.annotations[deploymentIdAnnotation])),
  releaseId: Option.getOrNull(decodeReleaseId(object.annotations[releaseIdAnnotation]))
})

const withoutObjects = (appId: AppId, ordinal: number): Omit<ObservedApp, "phase" | "reason"> => ({
  appId,
  deployId: null,
  releaseId: null,
  ordinal,
  processes: [],
  output: []
})

/** An attempt that has not produced the objects of its own deploy. */
export const ofAttempt = (outcome: Blocked): Seen => ({
  status: {
    ...withoutObjects(outcome.appId, outcome.ordinal),
    phase: outcome._tag === "Refused" ? "failed" : "progressing",
    reason: { code: outcome.code, message: outcome.message }
  },
  failing: null,
  isTicking: false
})

/** Of a tombstoned app: gone, or what keeps it from going. Nothing while it is merely under way. */
export const removalStatus = (
  outcome: AppOutcome | undefined,
  ordinal: number
): ReadonlyArray<ObservedApp> => {
  if (outcome?.ordinal !== ordinal) return []
  const common = withoutObjects(outcome.appId, ordinal)
  if (outcome._tag === "Absent") return [{ ...common, phase: "absent", reason: null }]
  return outcome._tag === "Removing"
    ? [{ ...common, phase: "progressing", reason: { code: outcome.code, message: outcome.message } }]
    : []
}

/** Nothing for an entry whose app has no valid id: nobody could be told. */
export const unreadableStatus = (entry: UnreadableEntry): ReadonlyArray<ObservedApp> =>
  Option.match(decodeAppId(entry.appId), {
    onNone: () => [],
    onSome: (appId) => [
      {
        ...withoutObjects(appId, entry.ordinal),
        phase: "failed" as const,
        reason: { code: entry.code, message: entry.problem }
      }
    ]
  })
