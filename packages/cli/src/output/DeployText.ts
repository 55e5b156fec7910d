/** Deploys and releases in words. Pure. */
import type { Deploy, DeployFailure, DeployKind, DeployPhase } from "@starform/domain/model/Deploy"
import type { Release } from "@starform/domain/model/Release"
import type { CommandLine } from "../session/CommandLine.ts"
import type { Paint } from "./Paint.ts"
import { took } from "./Times.ts"

export const kindText: Readonly<Record<DeployKind, string>> = {
  push: "push",
  rollback: "rollback",
  restart: "restart",
  configure: "new settings"
}

/** To follow "and". */
export const kindBeingText: Readonly<Record<DeployKind, string>> = {
  push: "a push is",
  rollback: "a rollback is",
  restart: "a restart is",
  configure: "new settings are"
}

export const shortCommit = (commit: string): string => commit.slice(0, 7)

const branch = (ref: string): string => ref.replace(/^refs\/(heads|tags)\//, "")

/** `release 2 (commit 1f0c2ab on main)`. */
export const releaseText = ({ number, provenance }: Release): string =>
  `release ${number} (commit ${shortCommit(provenance.gitSha)} on ${branch(provenance.gitRef)})`

export const phaseText = (paint: Paint, phase: DeployPhase): string => {
  switch (phase) {
    case "deployed":
      return paint.green(phase)
    case "failed":
      return paint.red(phase)
    case "cancelled":
    case "superseded":
      return paint.dim(phase)
    default:
      return paint.yellow(phase)
  }
}

/** What a running deploy is doing, to follow "is". */
export const doing = (phase: DeployPhase): string => {
  switch (phase) {
    case "pending":
      return "waiting for a builder"
    case "building":
      return "being built"
    default:
      return "being rolled out"
  }
}

/** Why a deploy failed, what to do about it, and the last lines of the output that explain it. */
export const failureLines = (paint: Paint, failure: DeployFailure): ReadonlyArray<string> => [
  `  ${paint.red("✗")} Failed while ${failure.phase}: ${failure.reason} ${paint.dim(`(${failure.code})`)}`,
  ...(failure.advice === "" ? [] : [`    ${failure.advice}`]),
  ...failure.output.map((line) => paint.dim(`    │ ${line}`))
]

/** `worker runs no copies; starform scale worker=1 starts one`. */
export const idleText = (process: string, line: CommandLine): string =>
  `${process} runs no copies; ${line(`scale ${process}=1`)} starts one`

/**
 * What is said when a deploy has entered phases beyond the first `after`.
 *
 * @param done what a deploy is that became live, unless that would say too much
 */
export const phaseLines = (
  paint: Paint,
  deploy: Deploy,
  {
    after,
    isBuildSeen,
    done = "Live"
  }: { readonly after: number; readonly isBuildSeen: boolean; readonly done?: string }
): ReadonlyArray<string> =>
  deploy.phases.slice(after).flatMap(({ phase, atMs }) => {
    switch (phase) {
      case "building":
        return isBuildSeen ? [] : ["  ▸ Building"]
      case "deploying":
        return ["  ▸ Rolling out"]
      case "deployed":
        return [`  ${paint.green("✓")} ${done} after ${took(atMs - (deploy.phases[0]?.atMs ?? atMs))}`]
      case "failed":
        return deploy.failure === null ? [] : failureLines(paint, deploy.failure)
      case "cancelled":
        return [`  ${paint.yellow("✗")} Cancelled; what was live stays live`]
      case "superseded":
        return [`  ${paint.yellow("✗")} A newer deploy took over`]
      default:
        return []
    }
  })
