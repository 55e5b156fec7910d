/** What `starform status` explains: what is live, how it does, what happens now, and what to do next. Pure. */
import type { Deploy } from "@starform/domain/model/Deploy"
import { isTerminal } from "@starform/domain/model/Deploy"
import type { Schedule } from "@starform/domain/model/Schedule"
import type { Release } from "@starform/domain/model/Release"
import type { AppStatus } from "@starform/domain/protocol/AppRpcs"
import { doing, failureLines, kindBeingText, kindText, phaseText, releaseText } from "./DeployText.ts"
import type { CommandLine } from "../session/CommandLine.ts"
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
  /** Of words about this app. */
  readonly line: CommandLine
}

interface Verdict {
  readonly mark: string
  /** Follows the app's name. */
  readonly words: string
  /** A command line and what it does; `null` when there is nothing to do. */
  readonly next: readonly [line: string, does: string] | null
}

const isFailed = (deploy: Deploy | null) => deploy?.phase === "failed"

const copiesOf = (scale: AppStatus["scale"], process: string): number =>
  scale.find((one) => one.process === process)?.replicas ?? 0

type Health = "none" | "live" | "degraded" | "starting" | "down" | "idle"

/** Whether anything serves, from what the cluster's agent saw of the live release. */
const healthOf = ({ observed, live, scale, schedule }: AppStatus): Health => {
  if (live === null) return "none"
  if (live.processes.every(({ name }) => copiesOf(scale, name) === 0)) return "idle"
  if (schedule !== undefined)
    return observed?.isOfLive === true && observed.phase === "failed" ? "down" : "live"
  if (observed === null || !observed.isOfLive) return "live"
  if (observed.phase === "degraded") return "degraded"
  const isServing = observed.processes.some(({ readyReplicas }) => readyReplicas > 0)
  if (isServing) return "live"
  if (observed.phase === "failed") return "down"
  return observed.phase === "available" ? "live" : "starting"
}

/** Nothing of it answers, because nobody wants a copy of its `web`. */
export const isWebIdle = ({ live, scale, schedule }: AppStatus): boolean =>
  schedule === undefined &&
  live !== null &&
  live.processes.some(({ name }) => name === "web") &&
  copiesOf(scale, "web") === 0

const afterFailure = (deploy: Deploy | null, line: CommandLine): Verdict["next"] =>
  deploy?.failure?.phase === "building"
    ? [line("logs"), "shows what the build said; then fix it and push again"]
    : ["", "Fix what is said above and push again"]

const follows = (line: CommandLine): Verdict["next"] => [line("logs -f"), "follows it"]

const beforeFirst = (paint: Paint, { branch, line, status: { deploy } }: StatusFacts): Verdict => {
  if (deploy === null) {
    return {
      mark: paint.dim("○"),
      words: "has nothing to run yet",
      next: [
        `git push starform ${branch === "main" ? branch : `HEAD:${branch}`}`,
        "deploys the first release"
      ]
    }
  }
  if (!isTerminal(deploy.phase)) {
    return {
      mark: paint.yellow("●"),
      words: `is not live yet: the first release is ${doing(deploy.phase)}`,
      next: follows(line)
    }
  }
  return {
    mark: paint.red("●"),
    words: `is not live: the newest deploy ${isFailed(deploy) ? "failed" : `was ${deploy.phase}`}`,
    next: afterFailure(deploy, line)
  }
}

/** What a running deploy does beside what is live. */
const meanwhileOf = (deploy: Deploy, live: Release): string => {
  const being = `${kindBeingText[deploy.kind]} ${doing(deploy.phase)}`
  if (deploy.phase !== "deploying") return `, and ${being}`
  return deploy.releaseId === live.id
    ? `, and ${being}: the copies before still serve`
    : `, and ${being}: release ${live.number} still serves`
}

const verdictOf = (paint: Paint, given: StatusFacts): Verdict => {
  const { status, line } = given
  const { deploy, live } = status
  const health = healthOf(status)
  if (health === "none" || live === null) return beforeFirst(paint, given)
  const running = deploy !== null && !isTerminal(deploy.phase)
  const meanwhile = running ? meanwhileOf(deploy, live) : ""
  if (health === "idle" && !running) {
    const process = live.processes.find(({ name }) => name === "web") ?? live.processes[0]
    return {
      mark: paint.dim("○"),
      words: "runs no copies",
      next: process === undefined ? null : [line(`scale ${process.name}=1`), "starts one"]
    }
  }
  if (health === "starting" && !running) {
    return {
      mark: paint.yellow("●"),
      words: "does not serve yet: its copies are starting",
      next: [line("status"), "shows when they are ready"]
    }
  }
  if (health === "down" || health === "degraded") {
    return {
      mark: health === "down" ? paint.red("●") : paint.yellow("●"),
      words: `${health === "down" ? "is down" : "is live, but not all of it is ready"}${meanwhile}`,
      next:
        live.number === 1
          ? [line("restart"), "starts it afresh"]
          : [line("rollback"), `goes back to the release before; ${line("restart")} starts it afresh`]
    }
  }
  if (running) {
    return {
      mark: paint.green("●"),
      words: `is live${meanwhile}`,
      next: follows(line)
    }
  }
  return isFailed(deploy)
    ? {
        mark: paint.yellow("●"),
        words: "is live, but the newest deploy failed: the release before it still serves",
        next: afterFailure(deploy, line)
      }
    : isWebIdle(status)
      ? {
          mark: paint.yellow("●"),
          words: "is live, but web runs no copies: nothing answers at its URL",
          next: [line("scale web=1"), "starts one"]
        }
      : { mark: paint.green("●"), words: "is live", next: null }
}

const facts = (paint: Paint, rows: ReadonlyArray<readonly [string, string]>): ReadonlyArray<string> =>
  rows.map(([label, value]) => `  ${paint.dim(label.padEnd(9))} ${value}`)

const deployLine = ({ deploy, nowMs, paint }: { deploy: Deploy; nowMs: number; paint: Paint }): string => {
  const since = deploy.phases.at(-1)?.atMs ?? nowMs
  return `${kindText[deploy.kind]}, ${phaseText(paint, deploy.phase)} ${ago(since, nowMs)}`
}

/** When something runs, e.g. `30 3 * * 1-5 (Europe/Berlin, skipped while one runs)`. */
export const scheduleText = ({ expression, timeZone, concurrency }: Schedule): string => {
  const meanwhile = {
    allow: "beside one that runs",
    forbid: "skipped while one runs",
    replace: "ending one that runs"
  }
  return `${expression} (${timeZone ?? "UTC"}, ${meanwhile[concurrency]})`
}

const seen = (observed: NonNullable<AppStatus["observed"]>, nowMs: number): string =>
  `${observed.phase} for ${span(nowMs - observed.sinceMs)}`

export const statusLines = (paint: Paint, given: StatusFacts): ReadonlyArray<string> => {
  const { name, status, releases, nowMs } = given
  const { deploy, live, observed, schedule, urls } = status
  const verdict = verdictOf(paint, given)
  const coming = releases.find(({ id }) => id === deploy?.releaseId)
  const rows: ReadonlyArray<readonly [string, string]> = [
    ...(live === null ? [] : urls.map((url) => ["URL", url] as const)),
    ...(live === null ? [] : [["Release", releaseText(live)] as const]),
    ...(schedule === undefined ? [] : [["Runs at", scheduleText(schedule)] as const]),
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
            [
              observed?.isOfLive === false ? "NEW COPIES" : "PROCESS",
              schedule === undefined ? "READY" : "RUNNING"
            ],
            processes.map(({ name: process, readyReplicas, desiredReplicas }) => {
              const ready =
                schedule === undefined ? `${readyReplicas}/${desiredReplicas}` : String(readyReplicas)
              return [process, readyReplicas < desiredReplicas ? paint.yellow(ready) : ready]
            })
          ).map((line) => `  ${line}`)
        ]),
    ...(verdict.next === null
      ? []
      : ["", `  ${paint.dim("Next")}  ${verdict.next.filter((part) => part !== "").join("   ")}`])
  ]
}

/** The state of an app in a word or two, and where it answers: its cells in a list of apps. */
export const statusRow = (paint: Paint, status: AppStatus): readonly [state: string, url: string] => {
  const { deploy, live, urls } = status
  const running = deploy !== null && !isTerminal(deploy.phase) ? deploy : null
  const health = healthOf(status)
  const words: Readonly<Record<Health, string>> = {
    none: deploy === null ? paint.dim("nothing to run") : running === null ? paint.red("not live") : "",
    live: paint.green("live"),
    degraded: paint.yellow("degraded"),
    starting: paint.yellow("starting"),
    down: paint.red("down"),
    idle: paint.dim("no copies")
  }
  const state = [
    words[health],
    ...(running === null ? [] : [paint.yellow(running.phase)]),
    ...(health !== "none" && isFailed(deploy) ? [paint.yellow("newest deploy failed")] : [])
  ]
  const answers = live !== null && !isWebIdle(status)
  return [state.filter((word) => word !== "").join(", "), answers ? (urls[0] ?? "") : ""]
}
