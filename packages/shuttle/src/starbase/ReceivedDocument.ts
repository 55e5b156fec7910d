/**
 * The body of a pull → the document, and of each entry that does not fit, why. Pure. One app's entry that is malformed, or
 * that a later Starbase wrote for a later agent, keeps no other app from being made so (INV-DOC-6).
 */
import { DesiredApp, DesiredState } from "@starform/domain/desired/DesiredState"
import { entryHashInput } from "@starform/domain/desired/DocumentHash"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { sha256Hex } from "../hashing/Sha256.ts"
import type { UnreadableEntry } from "./DesiredDocument.ts"

export interface ReceivedDocument {
  /** Without the entries that are not readable. */
  readonly state: DesiredState
  readonly unreadable: ReadonlyArray<UnreadableEntry>
}

/** The document around its entries; full ones have `apps`, deltas have `changed`. */
const Envelope = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("full"), apps: Schema.Array(Schema.Unknown) }),
  Schema.Struct({ kind: Schema.Literal("delta"), changed: Schema.Array(Schema.Unknown) })
])
const decodeEnvelope = Schema.decodeUnknownResult(Envelope)
const decodeState = Schema.decodeUnknownResult(DesiredState)
const decodeApp = Schema.decodeUnknownResult(DesiredApp, { onExcessProperty: "error", errors: "all" })
const hasImage = Schema.is(Schema.Struct({ image: Schema.NonEmptyString }))
const decodeLenient = Schema.decodeUnknownResult(DesiredApp)
const decodeName = Schema.decodeUnknownOption(Schema.Struct({ app_id: Schema.NonEmptyString }))
const decodeOrdinal = Schema.decodeUnknownOption(Schema.Struct({ ordinal: Schema.Int }))

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** Where an entry does not fit, e.g. `processes.0.name`: the places alone, because what is there may be secret. */
const placesOf = (error: Schema.SchemaError): ReadonlyArray<string> =>
  issuesOf(error.issue).issues.map(({ path }) => (path ?? []).map(String).join("."))

const placesToldMax = 5

const told = (places: ReadonlyArray<string>): string =>
  places
    .slice(0, placesToldMax)
    .map((place) => (place === "" ? "the whole of it" : place))
    .join(", ")

/** Fields that a later Starbase added are no mistake: this agent is too old for this app. */
const whyNot = (entry: unknown, error: Schema.SchemaError): Pick<UnreadableEntry, "code" | "problem"> => {
  const places = placesOf(error)
  if (Result.isSuccess(decodeLenient(entry))) {
    return {
      code: "EntryTooNew",
      problem: `the cluster's agent is too old for it: it does not know ${told(places)}`
    }
  }
  return places.includes("image") && hasImage(entry)
    ? { code: "ImageWithoutDigest", problem: "its image is not named by its digest" }
    : { code: "EntryMalformed", problem: `Starbase wrote it in a way that does not fit: ${told(places)}` }
}

const unreadableEntry = (
  entry: unknown,
  error: Schema.SchemaError
): Result.Result<UnreadableEntry, Schema.SchemaError> =>
  Option.match(decodeName(entry), {
    onNone: () => Result.fail(error),
    onSome: ({ app_id }) =>
      Result.succeed({
        appId: app_id,
        ordinal: Option.match(decodeOrdinal(entry), { onNone: () => 0, onSome: ({ ordinal }) => ordinal }),
        hash: sha256Hex(entryHashInput(entry)),
        ...whyNot(entry, error)
      })
  })

const withApps = (state: DesiredState, apps: ReadonlyArray<DesiredApp>): DesiredState =>
  state.kind === "full" ? { ...state, apps } : { ...state, changed: apps }

/** Fails when the document itself does not fit, or an entry does not say which app it is of. */
export const receive = (body: unknown): Result.Result<ReceivedDocument, Schema.SchemaError> =>
  Result.gen(function* () {
    const envelope = yield* decodeEnvelope(body)
    const entries = envelope.kind === "full" ? envelope.apps : envelope.changed
    const around = { ...Object(body), [envelope.kind === "full" ? "apps" : "changed"]: [] }
    const state = yield* decodeState(around)
    const apps: Array<DesiredApp> = []
    const unreadable: Array<UnreadableEntry> = []
    for (const entry of entries) {
      const app = decodeApp(entry)
      if (Result.isSuccess(app)) apps.push(app.success)
      else unreadable.push(yield* unreadableEntry(entry, app.failure))
    }
    return { state: withApps(state, apps), unreadable }
  })
