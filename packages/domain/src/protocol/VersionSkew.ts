/**
 * Which Shuttles a Starbase serves: of its own release N, those of N−2 to N+1. Starbase is updated first, or an agent is ahead
 * of it for a while; neither waits for the other. The number of a release is its minor version: another major is none of ours.
 */
import * as Schema from "effect/Schema"
import { format } from "../desired/DesiredState.ts"

/** Of this very code, whichever program it is part of. */
export const starformVersion = "0.1.0"

/** Says which Starform the agent is of, on each of its requests. */
export const versionHeader = "starform-agent-version"

/** Says the newest format of the document that the agent understands, on each of its requests. */
export const formatHeader = "starform-document-format"

/** On answers: where the agent's version stands beside Starbase's. */
export const standingHeader = "starform-agent-standing"

/** Releases behind Starbase's own that are served, and ahead of it. */
export const releasesBehindMax = 2
export const releasesAheadMax = 1

/** What an agent is that says nothing: the headers came with the first release, after its first agents. */
export const unsaid = { version: "0.1.0", format: 1 } as const

/** The oldest format of the document that this Starbase can still write. */
export const oldestFormatServed = 1

export const AgentVersion = Schema.String.check(
  Schema.isPattern(/^(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})(-[0-9A-Za-z.-]{1,40})?$/)
)

/** What an agent says of itself. */
export const AgentRelease = Schema.Struct({ version: AgentVersion, format: Schema.Int })
export type AgentRelease = typeof AgentRelease.Type

/**
 * `current`: of this release, or the one after it. `behind`: served, and should be updated before the next release.
 * `tooOld`, `tooNew`: not served; it keeps what it has, and its apps go on running.
 */
export const AgentStanding = Schema.Literals(["current", "behind", "tooOld", "tooNew"])
export type AgentStanding = typeof AgentStanding.Type

const numbersOf = (version: string): readonly [major: number, minor: number] => {
  const [major, minor] = version.split(".").map(Number)
  return [major ?? 0, minor ?? 0]
}

export const standingOf = (agent: AgentRelease, own: string = starformVersion): AgentStanding => {
  const [ownMajor, ownMinor] = numbersOf(own)
  const [major, minor] = numbersOf(agent.version)
  if (major !== ownMajor) return major < ownMajor ? "tooOld" : "tooNew"
  if (minor < ownMinor - releasesBehindMax || agent.format < oldestFormatServed) return "tooOld"
  if (minor > ownMinor + releasesAheadMax) return "tooNew"
  return minor < ownMinor ? "behind" : "current"
}

export const isServed = (standing: AgentStanding): boolean => standing === "current" || standing === "behind"

/** The format to write for an agent that is served: the newest that both know. */
export const formatFor = (agent: AgentRelease): number => Math.min(agent.format, format)

/** The releases that are served, for people: `0.0 to 0.2`. */
export const servedText = (own: string = starformVersion): string => {
  const [major, minor] = numbersOf(own)
  return `${major}.${Math.max(0, minor - releasesBehindMax)} to ${major}.${minor + releasesAheadMax}`
}
