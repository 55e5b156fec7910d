/** The agent's hops in the traces of deploys: it finds each trace by the deploy's id in the document that it holds. */
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import type { AppId } from "@starform/domain/ids/AppId"
import type { ObservedApp } from "@starform/domain/observed/ObservedApp"
import * as DeployHop from "@starform/domain/tracing/DeployHop"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { AppOutcome } from "../reconcile/AppOutcome.ts"
import type { HeldDocument } from "../starbase/DesiredDocument.ts"

/** Milliseconds since 1970; 0 for what is no time. */
const timeOf = (text: string): number =>
  Option.match(DateTime.make(text), { onNone: () => 0, onSome: DateTime.toEpochMillis })

/**
 * A pull brought these deploys. It may have been waiting long before them, so the hop begins with the deploy itself,
 * as Starbase's clock had it. A first document is not news: what it holds was pulled before.
 *
 * @param startMs when the pull was sent
 */
export const pulled = Effect.fnUntraced(function* (
  before: HeldDocument | null,
  next: HeldDocument,
  startMs: number,
  endMs: number
) {
  if (before === null || !(yield* DeployHop.isTracing)) return
  for (const { app } of next.apps.values()) {
    const known = before.apps.get(app.appId)?.app
    if (known !== undefined && known.ordinal === app.ordinal) continue
    yield* DeployHop.wrote(app.deployId, "shuttle.pull", {
      startMs: Math.min(endMs, Math.max(startMs, timeOf(app.deployedAt))),
      endMs,
      attributes: { "app.id": app.appId, "deploy.ordinal": app.ordinal, revision: next.revision }
    })
  }
})

/** One pass over one app that has something to do. */
export const applying = (app: Pick<DesiredApp, "appId" | "deployId" | "ordinal">, steps: number) => {
  const hop = DeployHop.within(app.deployId, "shuttle.apply", {
    attributes: { "app.id": app.appId, "deploy.ordinal": app.ordinal, "apply.steps": steps }
  })
  return <E, R>(pass: Effect.Effect<AppOutcome, E, R>) =>
    steps === 0
      ? pass
      : hop(Effect.tap(pass, ({ _tag }) => Effect.annotateCurrentSpan("apply.outcome", _tag)))
}

/** Starbase acknowledged these statuses; only what changed for a deploy is a hop. */
export const reported = Effect.fnUntraced(function* (
  acknowledged: ReadonlyMap<AppId, ObservedApp>,
  apps: ReadonlyArray<ObservedApp>,
  startMs: number,
  endMs: number
) {
  if (!(yield* DeployHop.isTracing)) return
  for (const { appId, deployId, phase, reason } of apps) {
    const known = acknowledged.get(appId)
    if (deployId === null || (known?.deployId === deployId && known.phase === phase)) continue
    yield* DeployHop.wrote(deployId, "shuttle.report", {
      startMs,
      endMs,
      attributes: {
        "app.id": appId,
        "observed.phase": phase,
        ...(reason === null ? {} : { "observed.reason_code": reason.code })
      }
    })
  }
})
