/** How a build can end other than well, and what can be wrong with a builder. */
import * as Schema from "effect/Schema"
import { BuildId, WorkspaceId } from "@starform/domain/ids/Ids"
import type { DeployFailure } from "@starform/domain/model/Deploy"

/** Stable identifiers of what a person can do something about. */
export const BuildFailureCode = Schema.Literals([
  "SourceInvalid",
  "SubmoduleRefused",
  "LfsPointer",
  "UnsafeLink",
  "SettingsInvalid",
  "NoDetector",
  "MissingStartCommand",
  "InstallFailed",
  "BuildStepFailed",
  "StepTimedOut",
  "OutputLimit",
  "DiskFull"
])
export type BuildFailureCode = typeof BuildFailureCode.Type

/** The build ended without an image, for a reason that its author can understand. Terminal: a repeat fails again. */
export class BuildFailed extends Schema.TaggedError<BuildFailed>()("BuildFailed", {
  buildId: BuildId,
  code: BuildFailureCode,
  /** One line. */
  reason: Schema.String,
  /** What to do about it, one line. */
  advice: Schema.String,
  /** Last lines of the step that failed, at most 20. */
  output: Schema.Array(Schema.String)
}) {
  override get message() {
    return `build ${this.buildId}: ${this.code}: ${this.reason}`
  }
}

/** A failed build as the failure of its deploy. */
export const toDeployFailure = (failed: BuildFailed): DeployFailure => ({
  phase: "building",
  code: failed.code,
  reason: failed.reason,
  advice: failed.advice,
  output: failed.output
})

/** Somebody cancelled the build; nothing of it runs any more. */
export class BuildCancelled extends Schema.TaggedError<BuildCancelled>()("BuildCancelled", {
  buildId: BuildId
}) {
  override get message() {
    return `build ${this.buildId} was cancelled`
  }
}

/** No such build here: never submitted, or forgotten by a restart before it ended. Submit it (again). */
export class BuildUnknown extends Schema.TaggedError<BuildUnknown>()("BuildUnknown", { buildId: BuildId }) {
  override get message() {
    return `build ${this.buildId} is not known`
  }
}

/** The workspace has as many waiting builds as it may have. Transient: welcome again when one has ended. */
export class WorkspaceQueueFull extends Schema.TaggedError<WorkspaceQueueFull>()("WorkspaceQueueFull", {
  workspaceId: WorkspaceId,
  waitingMax: Schema.Int
}) {
  override get message() {
    return `workspace ${this.workspaceId} has ${this.waitingMax} builds waiting already`
  }
}

/** Our own fault, not the source's. Transient: the same submit may succeed. `cause` is for operators. */
export class BuilderUnavailable extends Schema.TaggedError<BuilderUnavailable>()("BuilderUnavailable", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `builder: ${this.operation} failed`
  }
}
