/** How the last attempt on an app went; what a report says when no observed object says it better. */
import type { AppId } from "@starform/domain/ids/AppId"
import * as Result from "effect/Result"
import type { ObservedObject } from "../kubernetes/ObservedObject.ts"
import { keyOf, type ObjectReference } from "../kubernetes/ResourceKind.ts"
import type { RenderedApp } from "./DesiredProject.ts"
import type { StepError } from "./StepRunner.ts"

/**
 * `Applied`: every object is as wanted. `Retrying`: not yet, it goes on. `Refused`: it cannot go on without a change.
 * `Absent`: everything of a tombstoned app was found gone, and forgotten. `Removing`: something keeps it from going; it goes
 * on. `ordinal` is the attempt's.
 */
export type AppOutcome =
  | { readonly _tag: "Applied"; readonly appId: AppId; readonly ordinal: number }
  | {
      readonly _tag: "Retrying" | "Refused"
      readonly appId: AppId
      readonly ordinal: number
      readonly code: string
      /** For the person who pushed. */
      readonly message: string
    }
  | {
      readonly _tag: "Removing"
      readonly appId: AppId
      readonly ordinal: number
      readonly code: string
      readonly message: string
    }
  | { readonly _tag: "Absent"; readonly appId: AppId; readonly ordinal: number }

const detailLengthMax = 300

export const ofConflict = (app: RenderedApp, conflicts: ReadonlyArray<ObjectReference>): AppOutcome => ({
  _tag: "Refused",
  appId: app.appId,
  ordinal: app.ordinal,
  code: "ForeignObject",
  message: `somebody else's object has a name that this app needs: ${conflicts.map(keyOf).join(", ")}`
})

/** The document puts the apps of several projects into one namespace; this app is not of the one that has it. */
export const ofStranger = (app: RenderedApp, namespace: string): AppOutcome => ({
  _tag: "Refused",
  appId: app.appId,
  ordinal: app.ordinal,
  code: "ForeignNamespace",
  message: `the namespace ${namespace} belongs to another project`
})

export const ofWaiting = (app: RenderedApp): AppOutcome => ({
  _tag: "Retrying",
  appId: app.appId,
  ordinal: app.ordinal,
  code: "WaitingForDeletion",
  message: "an earlier object of the same name is still being deleted"
})

/** `None` of the failures: the app was written down. */
export const ofRendering = (app: RenderedApp): AppOutcome | null =>
  Result.isSuccess(app.manifests)
    ? null
    : {
        _tag: "Refused",
        appId: app.appId,
        ordinal: app.ordinal,
        code: "NotRenderable",
        message: app.manifests.failure.problem
      }

export const ofError = (app: RenderedApp, error: StepError): AppOutcome => {
  const common = { appId: app.appId, ordinal: app.ordinal }
  switch (error._tag) {
    case "KubernetesRefused":
      return {
        ...common,
        _tag: error.status === 401 || error.status === 403 ? "Retrying" : "Refused",
        code: error.reason,
        message: `the cluster refused it: ${error.detail.slice(0, detailLengthMax)}`
      }
    case "FieldConflict":
      return {
        ...common,
        _tag: "Refused",
        code: "ForeignObject",
        message: `somebody else made an object of a name that this app needs (${error.fields.join(", ")})`
      }
    default:
      return {
        ...common,
        _tag: "Retrying",
        code: "ClusterUnavailable",
        message: "the cluster does not answer as it should; trying again"
      }
  }
}

/** A tombstone's app and ordinal. */
type Removed = Pick<AppOutcome, "appId" | "ordinal">

/** Of a removal that the cluster did not do. `null` where the next pass decides anew: another object has the name now. */
export const ofRefusedRemoval = ({ appId, ordinal }: Removed, error: StepError): AppOutcome | null => {
  const common = { _tag: "Removing" as const, appId, ordinal }
  if (error._tag === "ObjectReplaced") return null
  return error._tag === "KubernetesRefused"
    ? {
        ...common,
        code: error.reason,
        message: `the cluster refused to ${error.operation}: ${error.detail.slice(0, detailLengthMax)}`
      }
    : {
        ...common,
        code: "ClusterUnavailable",
        message: "the cluster does not answer as it should; trying again"
      }
}

/** What was deleted and is still there, and what it waits for. */
export const describeEnding = (ending: ReadonlyArray<ObservedObject>): string =>
  ending
    .map((object) => `${keyOf(object)} waits for ${(object.finalizers ?? []).join(", ") || "its own end"}`)
    .join("; ")
    .slice(0, detailLengthMax)

/** Everything of it was deleted, and some of it is still there. */
export const ofHeldRemoval = (
  { appId, ordinal }: Removed,
  ending: ReadonlyArray<ObservedObject>
): AppOutcome => ({
  _tag: "Removing",
  appId,
  ordinal,
  code: "HeldByFinalizer",
  message: describeEnding(ending)
})
