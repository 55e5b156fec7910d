/** What is told of a deploy when it has ended: its numbers, and the whole of it as spans from its stored phases. */
import type { AppId } from "@starform/domain/ids/AppId"
import type { Deploy } from "@starform/domain/model/Deploy"
import * as DeployHop from "@starform/domain/tracing/DeployHop"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { BuildFailureCode } from "../builds/BuildErrors.ts"
import { deployPhaseSeconds, deploysEnded } from "./StarbaseMetrics.ts"

/** Codes of failures that we and our agents give. An agent could send any text; what is not here is `other`. */
const failureCodes: ReadonlySet<string> = new Set([
  ...BuildFailureCode.literals,
  "Abandoned",
  "ClusterUnavailable",
  "ContainerConfigInvalid",
  "CrashLoopBackOff",
  "DeadlineExceeded",
  "ForeignObject",
  "HealthCheckFailed",
  "ImagePullBackOff",
  "KubernetesRefused",
  "NotRenderable",
  "OOMKilled",
  "PortNotOpen",
  "ProgressDeadlineExceeded",
  "Unavailable",
  "UnreachableInterface",
  "Unschedulable",
  "WaitingForDeletion",
  "WrongPort"
])

const codeOf = ({ failure }: Deploy): string => {
  if (failure === null) return "none"
  return failureCodes.has(failure.code) ? failure.code : "other"
}

/** Phases that lasted: each from its own entry to the next one's. */
const spells = ({ phases }: Deploy) =>
  phases.slice(0, -1).map(({ phase, atMs }, index) => ({
    phase,
    startMs: atMs,
    endMs: phases[index + 1]!.atMs
  }))

/** @param deploy one that has ended */
export const tell = Effect.fnUntraced(function* (appId: AppId, deploy: Deploy) {
  yield* Metric.update(deploysEnded({ phase: deploy.phase, code: codeOf(deploy) }), 1)
  for (const { phase, startMs, endMs } of spells(deploy)) {
    yield* Metric.update(deployPhaseSeconds({ phase }), Math.max(0, endMs - startMs) / 1000)
  }
  if (!(yield* DeployHop.isTracing)) return
  for (const { phase, startMs, endMs } of spells(deploy)) {
    yield* DeployHop.wrote(deploy.id, `deploy.${phase}`, { startMs, endMs })
  }
  const first = deploy.phases[0]?.atMs ?? 0
  yield* DeployHop.wrote(deploy.id, "deploy", {
    startMs: first,
    endMs: deploy.phases.at(-1)?.atMs ?? first,
    attributes: {
      "app.id": appId,
      "deploy.kind": deploy.kind,
      "deploy.ordinal": deploy.ordinal,
      "deploy.phase": deploy.phase,
      "deploy.failure_code": codeOf(deploy)
    }
  })
})
