/** The source does not say, or says wrongly, how it is built or started. Becomes a `BuildFailed`. */
import * as Schema from "effect/Schema"
import { BuildFailureCode } from "@starform/starbase/builds/BuildErrors"

export class PlanRefused extends Schema.TaggedError<PlanRefused>()("PlanRefused", {
  code: BuildFailureCode,
  /** One line. */
  reason: Schema.String,
  /** What to do, one line. */
  advice: Schema.String
}) {
  override get message() {
    return `${this.code}: ${this.reason}`
  }
}
