/** What `starform status` explains: what is live, how it does, what happens now, and what to do next. Pure. */
import type { Deploy } from "@starform/domain/model/Deploy"
import { isTerminal } from "@starform/domain/model/Deploy"
import type { Release } from "@starform/domain/model/Release"
import type { AppStatus } from "@starform/domain/protocol/AppRpcs"
import { doing, failureLines, kindText, phaseText, releaseText } from "./DeployText.ts"
import type { Paint } from "./Paint.ts"
import { table } from "./Table.ts"
import { ago, span } from "./Times.ts"

export interface StatusFacts {
  /** As a person names the app. */
  readonly name: string
  /** Whose pushes deploy it. */
  readonly branch: string
  readonly status: AppStatus
  readonly releases: ReadonlyArray<Release>
  readonly nowMs: number
}

interface Verdict {
  readonly mark: string
  /** Follows the app's name. */
  readonly words: string
  readonly next: string
}

const isFailed = (deploy: Deploy | null) => deploy?.phase === "failed"

/** Whether anything serves, from what the cluster's agent saw of the live release. */
const healthOf = ({ observed, live }: AppStatus): "none" | "live" | "degraded" | "down" => {
  if (live === null) return "none"
  if (observed === null || !observed.isOfLive) return "live"
  if (observed.phase === "degraded") return "degraded"
  const isServing = observed.processes.some(({ readyReplicas }) => readyReplicas > 0)
  return observed.phase === "failed" && !isServing ? "down" : "live"
}

const afterFailure = (deploy: Deploy | null): string =>
  deploy?.failure?.phase === "building"
    ? "starform logs            shows what the build said; then fix it and push again"
    : "Fix what is said above and push again"

const beforeFirst = (paint: Paint, branch: string, deploy: Deploy | null): Verdict => {
  if (deploy === null) {
    return {
      mark: paint.dim("○"),
      words: "has nothing to run yet",
      next: `git push starform ${branch}   deploys the first release`
    }
  }
  if (!isTerminal(deploy.phase)) {
    return {
      mark: paint.yellow("●"),
      words: `is not live yet: the first release is ${doing(deploy.phase)}`,
      next: "starform logs -f         follows it"
    }
  }
  return {
    mark: paint.red("●"),
    words: `is not live: the newest deploy ${isFailed(deploy) ? "failed" : `was ${deploy.phase}`}`,
    next: afterFailure(deploy)
  }
}

const verdictOf = (paint: Paint, branch: string, status: AppStatus): Verdict => {
  const { deploy } = status
  const health = healthOf(status)
  if (health === "none") return beforeFirst(paint, branch, deploy)
  const running = deploy !== null && !isTerminal(deploy.phase)
  const meanwhile = running ? `, and a ${kindText[deploy.kind]} is ${doing(deploy.phase)}` : ""
  if (health === "down" || health === "degraded") {
    return {
      mark: health === "down" ? paint.red("●") : paint.yellow("●"),
      words: `${health === "down" ? "is down" : "is live, but not all of it is ready"}${meanwhile}`,
      next: "starform rollback        goes back to the release before; starform restart starts it afresh"
    }
  }
  if (running) {
    return {
      mark: paint.green("●"),
      words: `is live${meanwhile}`,
      next: "starform logs -f         follows it"
    }
  }
  return isFailed(deploy)
    ? {
        mark: paint.yellow("●"),
        words: "is live, but the newest deploy failed: the release before it still serves",
        next: afterFailure(deploy)
      }
    : { mark: paint.green("●"), words: "is live", next: "" }
}

const facts = (paint: Paint, rows: ReadonlyArray<readonly [string, string]>): ReadonlyArray<string> =>
  rows.map(([label, value]) => `  ${paint.dim(label.padEnd(9))} ${value}`)

const deployLine = ({ deploy, nowMs, paint }: { deploy: Deploy; nowMs: number; paint: Paint }): string => {
  const since = deploy.phases.at(-1)?.atMs ?? nowMs
  return `${kindText[deploy.kind]}, ${phaseText(paint, deploy.phase)} ${ago(since, nowMs)}`
}

const seen = (observed: NonNullable<AppStatus["observed"]>, nowMs: number): string =>
  `${observed.phase} for ${span(nowMs - observed.sinceMs)}`

export const statusLines = (
  paint: Paint,
  { name, branch, status, releases, nowMs }: StatusFacts
): ReadonlyArray<string> => {
  const { deploy, live, observed, urls } = status
  const verdict = verdictOf(paint, branch, status)
  const coming = releases.find(({ id }) => id === deploy?.releaseId)
  const rows: ReadonlyArray<readonly [string, string]> = [
    ...(live === null ? [] : urls.map((url) => ["URL", url] as const)),
    ...(live === null ? [] : [["Release", releaseText(live)] as const]),
    ...(observed?.isOfLive === true ? [["Observed", seen(observed, nowMs)] as const] : []),
    ...(deploy === null ? [] : [["Deploy", deployLine({ deploy, nowMs, paint })] as const]),
    ...(coming === undefined || coming.id === live?.id ? [] : [["of", releaseText(coming)] as const]),
    ...(observed?.isOfLive === false ? [["Rollout", seen(observed, nowMs)] as const] : [])
  ]
  const reason = observed?.reason ?? null
  const processes = observed?.processes ?? []
  return [
    `${verdict.mark} ${paint.bold(name)} ${verdict.words}`,
    ...(rows.length === 0 ? [] : ["", ...facts(paint, rows)]),
    ...(reason === null || deploy?.failure != null
      ? []
      : ["", `  ${paint.red("✗")} ${reason.message} ${paint.dim(`(${reason.code})`)}`]),
    ...(deploy?.failure == null ? [] : ["", ...failureLines(paint, deploy.failure)]),
    ...(processes.length === 0
      ? []
      : [
          "",
          ...table(
            paint,
            ["PROCESS", "READY"],
            processes.map(({ name: process, readyReplicas, desiredReplicas }) => {
              const ready = `${readyReplicas}/${desiredReplicas}`
              return [process, readyReplicas < desiredReplicas ? paint.yellow(ready) : ready]
            })
          ).map((line) => `  ${line}`)
        ]),
    ...(verdict.next === "" ? [] : ["", `  ${paint.dim("Next")}  ${verdict.next}`])
  ]
}
