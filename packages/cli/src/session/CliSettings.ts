/** Where Starform is and who asks: from flags, then `STARFORM_…`, then a file: the one named, or the nearest `.starform/cli.json`. */
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type CommandFailed, rejected } from "./CommandFailed.ts"
import { namedSettings } from "./CommandLine.ts"

export interface CliSettings {
  readonly url: string
  readonly token: Redacted.Redacted<string>
  /** Where the token was found, as a person names it; never the token. */
  readonly tokenSource: string
  /** Where the local cluster's access is written down; none for a Starform elsewhere. */
  readonly kubeconfig: Option.Option<string>
  /** Slug; without it the only one that the token can see. */
  readonly workspace: Option.Option<string>
}

export interface SettingsFlags {
  readonly url: Option.Option<string>
  readonly token: Option.Option<Redacted.Redacted<string>>
  readonly workspace: Option.Option<string>
}

/** `.starform/cli.json`, mode 0600, as Launchpad writes it. */
const SettingsFile = Schema.fromJsonString(
  Schema.Struct({
    url: Schema.String,
    token: Schema.RedactedFromValue(Schema.String),
    workspace: Schema.optionalKey(Schema.String),
    kubeconfig: Schema.optionalKey(Schema.String)
  })
)

type FoundFile = typeof SettingsFile.Type & { readonly file: string }

const environment = Config.all({
  url: Config.option(Config.String("URL")),
  token: Config.option(Config.Redacted("TOKEN")),
  workspace: Config.option(Config.String("WORKSPACE"))
}).pipe(Config.nested("STARFORM"))

const decodeFile = Schema.decodeUnknownEffect(SettingsFile)

/** Bits of a file's mode that let others than its owner read it. */
const othersRead = 0o044

const readFile = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const { mode } = yield* fs.stat(file)
  if ((mode & othersRead) !== 0) {
    yield* Console.error(`Others on this machine can read the token in ${file}. Run: chmod 600 ${file}`)
  }
  return yield* Effect.flatMap(fs.readFileString(file), (text) => decodeFile(text))
})

const openFile = (file: string) =>
  readFile(file).pipe(
    Effect.mapError(() => rejected(`${file} cannot be read: it must be JSON with "url" and "token".`)),
    Effect.map((settings): FoundFile => ({ ...settings, file }))
  )

/** The file that is named; else the one of this folder or of the nearest one above it. */
const nearestFile = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const given = yield* namedSettings
  if (Option.isSome(given)) return Option.some(yield* openFile(path.resolve(given.value)))
  let folder = path.resolve(".")
  while (true) {
    const file = path.join(folder, ".starform", "cli.json")
    if (yield* Effect.orElseSucceed(fs.exists(file), () => false)) {
      return Option.some(yield* openFile(file))
    }
    const above = path.dirname(folder)
    if (above === folder) return Option.none<FoundFile>()
    folder = above
  }
})

const first = <A>(...choices: ReadonlyArray<Option.Option<A>>): Option.Option<A> =>
  Option.firstSomeOf(choices)

/**
 * The token of a file is used for the URL of that file only: a URL from elsewhere never receives it.
 *
 * @errors CommandFailed when there is no URL or no token, or the file is no settings file
 */
export const resolve = Effect.fnUntraced(function* (
  flags: SettingsFlags
): Effect.fn.Return<CliSettings, CommandFailed, FileSystem.FileSystem | Path.Path> {
  const named = yield* environment.pipe(Effect.mapError((error) => rejected(error.message)))
  const file = yield* nearestFile
  const url = first(
    flags.url,
    named.url,
    Option.map(file, (settings) => settings.url)
  )
  if (Option.isNone(url)) {
    return yield* rejected(
      "No Starform here. Set STARFORM_URL and STARFORM_TOKEN, or run this below a folder with .starform/cli.json."
    )
  }
  const ofFile = Option.filter(file, (settings) => settings.url === url.value)
  const token = first(
    flags.token,
    named.token,
    Option.map(ofFile, (settings) => settings.token)
  )
  if (Option.isNone(token)) return yield* rejected(`No token for ${url.value}. Set STARFORM_TOKEN.`)
  const workspace = first(
    flags.workspace,
    named.workspace,
    Option.flatMap(ofFile, (settings) => Option.fromNullishOr(settings.workspace))
  )
  const tokenSource = Option.isSome(flags.token)
    ? "--token"
    : Option.isSome(named.token)
      ? "STARFORM_TOKEN"
      : Option.match(ofFile, { onNone: () => "", onSome: (settings) => settings.file })
  const kubeconfig = Option.flatMap(ofFile, (settings) => Option.fromNullishOr(settings.kubeconfig))
  return { url: url.value, token: token.value, tokenSource, kubeconfig, workspace }
})

/** What to do about a token that is not valid: where this one was found, and where a valid one is. */
export const tokenAdvice = ({ tokenSource }: CliSettings): string =>
  `It comes from ${tokenSource}. A local Starform prints its token at \`npm start\` ` +
  "and keeps it in .starform/cli.json."
