/**
 * A deploy's workflows in its trace. A workflow runs in pieces, on whichever runner: its span is written once, at its
 * end, and whatever a piece does names it as parent beforehand.
 */
import type { AppId } from "@starform/domain/ids/AppId"
import type { DeployId } from "@starform/domain/ids/Ids"
import * as DeployHop from "@starform/domain/tracing/DeployHop"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { EntityClients } from "../entities/EntityClients.ts"

interface DeployPayload {
  readonly appId: AppId
  readonly deployId: DeployId
}

const workflow = "workflow.DeployRelease"

/** How long the end of a workflow waits for its App to say when it began. Without an answer there is no span. */
const answerMax = Duration.seconds(5)

/** One piece of a workflow. */
export const inTrace = <A, E, R>(piece: Effect.Effect<A, E, R>, { deployId }: DeployPayload) =>
  DeployHop.under(deployId, workflow)(piece)

const wrote = Effect.fnUntraced(
  function* ({ appId, deployId }: DeployPayload) {
    if (!(yield* DeployHop.isTracing)) return
    const entities = yield* EntityClients
    const { deploys } = yield* entities
      .app(appId, (app) => app.GetApp())
      .pipe(Effect.timeout(answerMax), Effect.withTracerEnabled(false))
    const startMs = deploys.find(({ id }) => id === deployId)?.requestedAtMs
    const endMs = yield* Clock.currentTimeMillis
    if (startMs !== undefined) yield* DeployHop.wrote(deployId, workflow, { startMs, endMs })
  },
  (wrote) => Effect.ignore(wrote)
)

/** The pieces of the deploy's own workflow; the one that reaches its end writes the span. */
export const endingTrace = <A, E, R>(piece: Effect.Effect<A, E, R>, deploy: DeployPayload) =>
  inTrace(
    Effect.tap(piece, () => wrote(deploy)),
    deploy
  )
