/** How the rest of Starbase starts, settles and ends the work of a deploy. Every call is idempotent. */
import type { AppId } from "@starform/domain/ids/AppId"
import type { DeployId } from "@starform/domain/ids/Ids"
import type { DeployKind } from "@starform/domain/model/Deploy"
import type { BuildView, WorkflowStatus } from "@starform/domain/protocol/OperatorRpcs"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { BuildHandle } from "../builds/BuildSpec.ts"
import type { EffectPostponed } from "../outbox/OutboxRelay.ts"

export interface DeployToRun {
  readonly appId: AppId
  readonly deployId: DeployId
  readonly kind: DeployKind
}

export class DeployRuns extends Context.Service<
  DeployRuns,
  {
    /** A second start joins the first, also after it ended. */
    readonly start: (deploy: DeployToRun) => Effect.Effect<void, EffectPostponed>
    /** The deploy has ended at its App; whatever its workflow waits for is over. */
    readonly settle: (deployId: DeployId) => Effect.Effect<void, EffectPostponed>
    /** For operators: what the engine has stored of it. Asks nobody. */
    readonly status: (deployId: DeployId) => Effect.Effect<WorkflowStatus>
    /** For operators: what the builder says of a build, asked where the build's workflow lives; never waits long. */
    readonly build: (build: BuildHandle) => Effect.Effect<BuildView>
    /** Has the workflow, and its build's, look again at what they wait for; one that has ended stays so. */
    readonly resume: (deployId: DeployId) => Effect.Effect<void>
    /**
     * Ends a build that is waiting or running; nothing for one that is over. Does not wait long for its builder, which
     * is asked until it answers (INV-WF-5).
     */
    readonly cancelBuild: (build: BuildHandle) => Effect.Effect<void>
  }
>()("@starform/starbase/workflows/DeployRuns") {}
