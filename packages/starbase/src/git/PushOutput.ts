/** What a push shows. Pure: lines of at most 78 columns where we choose the words, readable without colour. */
import type { Deploy, DeployFailure, DeployPhase } from "@starform/domain/model/Deploy"

export const seconds = (ms: number): string => (ms < 59_950 ? `${(ms / 1000).toFixed(1)} s` : minutes(ms))

const minutes = (ms: number): string => {
  const whole = Math.round(ms / 1000)
  return `${Math.floor(whole / 60)} min ${whole % 60} s`
}

const columnsMax = 78

/** At most `max` characters on one line; a longer text ends at the end of a word. */
export const cut = (text: string, max: number): string => {
  const line = text.replace(/\s+/g, " ").trim()
  if (line.length <= max) return line
  const room = line.slice(0, max)
  const end = room.lastIndexOf(" ", max - 1)
  return `${(end > 0 ? room.slice(0, end) : room.slice(0, max - 1)).replace(/[\s,;:.–-]+$/, "")}…`
}

const short = (commit: string): string => commit.slice(0, 7)

export const accepted = (push: {
  readonly commit: string
  readonly subject: string
  readonly app: string
  readonly environment: string
}): ReadonlyArray<string> => [
  "",
  `  ${push.app} → ${push.environment}`,
  `  ${cut(`${short(push.commit)} ${push.subject}`, columnsMax - 2)}`,
  ""
]

export const serviceCreated = (service: string, project: string): string =>
  `  Created service "${service}" in project "${project}".`

export const stored = (
  branch: string,
  deploying: ReadonlyArray<readonly [branch: string, environment: string]>
) => [
  "",
  `  Stored. No environment deploys from "${branch}".`,
  `  Deploying branches: ${deploying.map(([from, to]) => `${from} → ${to}`).join(", ")}`,
  ""
]

/** An app as the `starform` command is told of it, and what is typed before. */
export interface CommandTarget {
  readonly commandLine: string
  readonly workspace: string
  readonly project: string
  readonly service: string
  readonly environment: string
}

/** A whole line of the `starform` command, which works from any folder. */
const command = (target: CommandTarget, words: string): string => {
  const environment = target.environment === "production" ? "" : ` -e ${target.environment}`
  const app = `${target.workspace}/${target.project}/${target.service}`
  return `${target.commandLine} ${words} -a ${app}${environment}`
}

export const detached = (deployId: string, target: CommandTarget): ReadonlyArray<string> => [
  `  Accepted as deploy ${deployId}.`,
  "  Not waiting, as asked. This shows how it goes:",
  `    ${command(target, "status")}`,
  ""
]

export const buildLine = (text: string): string => `    ${text}`

const begun: Partial<Record<DeployPhase, string>> = {
  building: "▸ Building",
  deploying: "▸ Deploying"
}

const done: Partial<Record<DeployPhase, string>> = {
  building: "✓ Built",
  deploying: "✓ Deployed"
}

/** What is said when a phase is entered: how long the one before took, and what begins. */
export const phases = (deploy: Deploy, from: number): ReadonlyArray<string> =>
  deploy.phases.slice(from).flatMap(({ phase, atMs }, index) => {
    const before = deploy.phases[from + index - 1]
    const finished = before === undefined || isUnhappy(phase) ? undefined : done[before.phase]
    const start = begun[phase]
    return [
      ...(finished === undefined || before === undefined
        ? []
        : [`  ${finished} in ${seconds(atMs - before.atMs)}`]),
      ...(start === undefined ? [] : [`  ${start}`])
    ]
  })

const isUnhappy = (phase: DeployPhase): boolean =>
  phase === "failed" || phase === "cancelled" || phase === "superseded"

/** @param why what keeps it, where that is known */
export const still = (phase: DeployPhase, ms: number, why: string | null = null): string => {
  const word = phase === "deploying" ? "deploying" : phase === "building" ? "building" : "waiting"
  return `    … still ${word} (${Math.round(ms / 1000)} s)${why === null ? "" : `: ${why}`}`
}

const failedWords: Partial<Record<DeployPhase, string>> = {
  building: "The build failed",
  deploying: "The release did not become healthy"
}

/** @param isOlderLive whether a release serves all the same */
export const failure = (cause: DeployFailure, isOlderLive: boolean): ReadonlyArray<string> => [
  "",
  `  ✗ ${failedWords[cause.phase] ?? "The deploy failed"}: ${cause.reason}`,
  ...(cause.output.length === 0 ? [] : ["", ...cause.output.map((line) => `    │ ${line}`), ""]),
  ...(cause.advice === "" ? [] : [`    ${cause.advice}`]),
  isOlderLive
    ? "    The release that was live is still serving. Push again when it is fixed."
    : "    Nothing is live yet. Push again when it is fixed.",
  ""
]

/**
 * @param urls of the app; none when nothing of it answers HTTP
 * @param idle processes of the release that run no copies
 */
export const live = (
  urls: ReadonlyArray<string>,
  totalMs: number,
  target: CommandTarget,
  idle: ReadonlyArray<string> = []
): ReadonlyArray<string> => [
  "",
  ...(urls.length === 0
    ? [`  ✓ live (${seconds(totalMs)} in all)`]
    : urls.map((url) => `  ✓ live at ${url}  (${seconds(totalMs)} in all)`)),
  ...idle.flatMap((name) => [
    `    ${name} runs no copies; this starts one:`,
    `      ${command(target, `scale ${name}=1`)}`
  ]),
  ""
]

export const ended = (phase: DeployPhase, by: string | null): ReadonlyArray<string> => [
  "",
  phase === "superseded"
    ? `  – superseded by a newer push${by === null ? "" : ` (${short(by)})`}`
    : "  – cancelled",
  ""
]

/** Longest line that git makes of a verdict, for a push of a branch to its own name. */
const verdictLineMax = 120

/** A reason keeps this much, however long the branch's name is. */
const reasonMin = 40

/** What is left for the reason in git's line. */
const reasonMax = (ref: string): number => {
  const branch = ref.replace(/^refs\/heads\//, "")
  return Math.max(verdictLineMax - ` ! [remote rejected] ${branch} -> ${branch} ()`.length, reasonMin)
}

/** git's own line, ` ! [remote rejected] main -> main (<reason>)`: the reason, `null` for none. */
export const verdict = (deploy: Deploy, supersedingCommit: string | null, ref: string): string | null => {
  switch (deploy.phase) {
    case "deployed":
      return null
    case "superseded":
      return supersedingCommit === null ? "superseded" : `superseded by ${supersedingCommit}`
    case "cancelled":
      return "cancelled"
    default:
      return cut(deploy.failure?.reason ?? "the deploy did not end", reasonMax(ref))
  }
}
