/** One run of a command: the client, and the words of the command line turned into names that Starform knows. */
import type { WireError } from "@starform/domain/errors/Reaction"
import { RequestId } from "@starform/domain/ids/Ids"
import { EnvironmentName, Slug } from "@starform/domain/ids/Slug"
import * as StarformClient from "@starform/domain/protocol/StarformClient"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as HttpClientError from "effect/http/HttpClientError"
import * as Option from "effect/Option"
import type { RpcClientError } from "effect/rpc/RpcClientError"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { type CliSettings, resolve, tokenAdvice } from "./CliSettings.ts"
import { type CommandLine, commandLine } from "./CommandLine.ts"
import { CommandFailed, fromWire, rejected, rejectedStatus, transientStatus } from "./CommandFailed.ts"
import { root } from "./RootCommand.ts"

/** Pauses before an ask that nobody answered is repeated with the same request id: 0.2, 0.4 and 0.8 s. */
const repeats = Schedule.exponential("200 millis")
const repeatsMax = 3

export interface Session {
  readonly settings: CliSettings
  readonly client: StarformClient.StarformClient
  /** With the flags that led this run to its Starform and its workspace. */
  readonly line: CommandLine
}

type Failure = (WireError & { readonly _tag: string }) | RpcClientError

const isUnanswered = (error: Failure): error is RpcClientError => error._tag === "RpcClientError"

/** Of Starform itself, or of whatever stands before it, when it has more requests than it takes. */
const busyStatuses: ReadonlySet<number> = new Set([429, 502, 503, 504])

/** The status of an answer that was no RPC's. */
const answeredStatus = ({ reason }: RpcClientError): number | undefined =>
  reason._tag === "HttpError" && reason.cause instanceof HttpClientError.StatusCodeError
    ? reason.cause.response.status
    : undefined

/** Nobody answered, or somebody who could not: the same request may succeed later. */
export const isTransient = (error: Failure): boolean => isUnanswered(error) || error.reaction === "repeat"

/** What to tell a person about an error of the client. */
export const explain = ({ settings }: Session, error: Failure): CommandFailed => {
  if (!isUnanswered(error)) {
    const failed = fromWire(error)
    return error._tag === "Unauthenticated"
      ? new CommandFailed({ line: `${failed.line} ${tokenAdvice(settings)}`, status: failed.status })
      : failed
  }
  const status = answeredStatus(error)
  if (status === undefined) {
    return new CommandFailed({
      line: `${settings.url} does not answer. Is Starform running there?`,
      status: transientStatus
    })
  }
  return busyStatuses.has(status)
    ? new CommandFailed({
        line: `${settings.url} is busy. Nothing is lost: try again.`,
        status: transientStatus
      })
    : new CommandFailed({ line: `${settings.url} is not a Starform that I know.`, status: rejectedStatus })
}

/** Asks, repeats what is worth repeating, and ends the command with one line when that does not help. */
export const ask = <A, E extends Failure, R>(
  session: Session,
  question: Effect.Effect<A, E, R>
): Effect.Effect<A, CommandFailed, R> =>
  question.pipe(
    Effect.retry({
      schedule: repeats,
      times: repeatsMax,
      while: isTransient
    }),
    Effect.mapError((error) => explain(session, error))
  )

/** Reads the settings and makes the client; asks nothing yet. */
export const open = Effect.gen(function* () {
  const flags = yield* root
  const settings = yield* resolve(flags)
  const client = yield* StarformClient.make(settings)
  const here = yield* commandLine
  const given = [
    ...Option.toArray(flags.url).map((url) => ` --url ${url}`),
    ...Option.toArray(flags.workspace).map((slug) => ` -w ${slug}`)
  ].join("")
  return { settings, client, line: (words) => `${here(words)}${given}` } satisfies Session
})

/** A fresh one: the repeats of one ask are the same request. */
export const requestId: Effect.Effect<RequestId> = Effect.sync(() =>
  RequestId.make(`cli:${SecureRandom.uuidV4Unsafe()}`)
)

const word = <A>(what: string, schema: Schema.Codec<A, string>, rule: string) => {
  const decode = Schema.decodeOption(schema)
  return (text: string): Effect.Effect<A, CommandFailed> =>
    Effect.fromOption(decode(text)).pipe(
      Effect.mapError(() => rejected(`"${text}" is no name of ${what}: ${rule}.`))
    )
}

const slugRule = "2 to 63 lower-case letters, digits and inner hyphens"

export const workspaceSlug = word("a workspace", Slug, slugRule)
export const projectSlug = word("a project", Slug, slugRule)
export const serviceSlug = word("a service", Slug, slugRule)
export const environmentName = word(
  "an environment",
  EnvironmentName,
  "1 to 30 lower-case letters, digits and inner hyphens"
)

/** The workspace that was named, or the only one there is. */
export const workspace = Effect.fnUntraced(function* (session: Session) {
  const named = session.settings.workspace
  if (Option.isSome(named)) return yield* workspaceSlug(named.value)
  const all = yield* ask(session, session.client.ListWorkspaces())
  const only = all[0]
  if (only === undefined)
    return yield* rejected(
      `There is no workspace yet. Create one: ${session.line("workspaces create <slug>")}`
    )
  if (all.length > 1) {
    return yield* rejected(`Which workspace? Add -w ${all.map(({ slug }) => slug).join(" or -w ")}.`)
  }
  return only.slug
})
