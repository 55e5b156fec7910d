/** What an app makes of its agent's report. Level-driven: the same report twice changes nothing. Pure. */
import type { DeployFailure } from "@starform/domain/model/Deploy"
import type { ObservedApp } from "@starform/domain/observed/ObservedApp"
import type { Decision } from "../../journal/JournaledEntity.ts"
import { restorationOrdinal } from "./AppDeploys.ts"
import { activeDeploy, type AppEvent, type AppState } from "./AppState.ts"

const advice: Readonly<Record<string, string>> = {
  WrongPort: "Listen on the port in the PORT variable.",
  PortNotOpen:
    "Listen on process.env.PORT (the variable PORT), on 0.0.0.0; if the app only needs longer to boot, raise startupSeconds.",
  UnreachableInterface: "Listen on 0.0.0.0 (or ::), not on 127.0.0.1.",
  CrashLoopBackOff: "The process ends right after its start. Its last output is above.",
  Error: "The process ends right after its start. Its last output is above.",
  HealthCheckFailed: "Answer the health path with a status below 400, or change it.",
  ProgressDeadlineExceeded: "If the app needs longer to boot, raise startupSeconds."
}

const same = (state: AppState, report: ObservedApp): boolean => {
  const known = state.observed
  return (
    known !== null &&
    known.ordinal === report.ordinal &&
    known.phase === report.phase &&
    known.releaseId === report.releaseId &&
    known.reason?.code === report.reason?.code &&
    known.reason?.message === report.reason?.message
  )
}

const failureOf = (report: ObservedApp): DeployFailure => {
  const code = report.reason?.code ?? "Unavailable"
  return {
    phase: "deploying",
    code,
    reason: report.reason?.message ?? "the release did not become available",
    advice: advice[code] ?? "",
    output: report.output.slice(-20)
  }
}

/** A report on anything but what is desired now is late and changes nothing. */
export const observe = (
  state: AppState,
  report: ObservedApp,
  nowMs: number
): Decision<AppState, AppEvent, void> => {
  const reply = () => undefined
  if (report.ordinal !== (state.desired?.ordinal ?? state.ordinal) || same(state, report)) {
    return { events: [], reply }
  }
  const changed: AppEvent = { _tag: "ObservationChanged", observation: { ...report, sinceMs: nowMs } }
  const deploy = activeDeploy(state)
  if (deploy === undefined || deploy.phase !== "deploying" || deploy.ordinal !== report.ordinal) {
    return { events: [changed], reply }
  }
  if (report.phase === "available") {
    return { events: [changed, { _tag: "DeployLive", deployId: deploy.id, atMs: nowMs }], reply }
  }
  if (report.phase !== "failed") return { events: [changed], reply }
  const failed: AppEvent = {
    _tag: "DeployFailed",
    deployId: deploy.id,
    failure: failureOf(report),
    restoredOrdinal: restorationOrdinal(state),
    atMs: nowMs
  }
  return { events: [changed, failed], reply }
}
