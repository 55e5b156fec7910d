/** Requests and answers recorded from a real Kubernetes, as `../fixtures` keeps them. */
import { readdirSync, readFileSync } from "node:fs"

export interface RecordedRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** JSON, or text as it was sent. */
  readonly body?: unknown
}

export interface RecordedResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** What this server answers otherwise than Kubernetes, on purpose. */
export interface KnownDifference {
  /** Beginning of a line of difference, as `body.message`. */
  readonly at: string
  readonly because: string
}

/** What is sent and must be answered alike. A watch has events instead of a body. */
export interface RecordedExchange {
  readonly note?: string
  /** What the request was repeated for; only the last answer counts. */
  readonly polled?: string
  readonly request: RecordedRequest
  readonly response: RecordedResponse
  readonly events?: ReadonlyArray<unknown>
  readonly ended?: "by the server" | "by the client"
  /** Must be there: a difference that is listed and not found is an error, too. */
  readonly differs?: ReadonlyArray<KnownDifference>
}

/** A step of the recording that is not sent. */
export interface LeftOutStep {
  readonly request: string
  readonly because: string
}

/** What must be there before, or what somebody else does; must succeed. */
export interface RecordedSetup {
  readonly set: RecordedRequest
}

/** Every watch that the server ends has ended. */
export interface RecordedPause {
  readonly await: "watches"
}

export type RecordedStep = RecordedExchange | RecordedSetup | RecordedPause

export interface Recording {
  readonly name: string
  readonly about: string
  readonly leftOut?: ReadonlyArray<LeftOutStep>
  readonly steps: ReadonlyArray<RecordedStep>
}

const folder = new URL("../fixtures/", import.meta.url)

export const all = (): ReadonlyArray<Recording> =>
  readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => ({
      name: file.slice(0, -".json".length),
      ...(JSON.parse(readFileSync(new URL(file, folder), "utf8")) as Omit<Recording, "name">)
    }))
