/** How `starform` is called here, so that a command line that a text names can be typed as it is printed. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** Of the words that follow `starform`: all of the line. */
export type CommandLine = (words: string) => string

const word = (key: string): Effect.Effect<Option.Option<string>> =>
  Effect.orElseSucceed(Config.option(Config.NonEmptyString(key)), () => Option.none())

/** A settings file that is not looked for, but named: `STARFORM_SETTINGS`. */
export const namedSettings = word("STARFORM_SETTINGS")

export const commandLine: Effect.Effect<CommandLine> = Effect.gen(function* () {
  /** Told by whatever started this process under another name, e.g. `npm run starform --`. */
  const calledAs = Option.getOrElse(yield* word("STARFORM_COMMAND"), () => "starform")
  const settings = Option.match(yield* namedSettings, {
    onNone: () => "",
    onSome: (file) => `STARFORM_SETTINGS=${quoted(file)} `
  })
  return (words) => `${settings}${calledAs} ${words}`
})

/** One word for a shell. */
const quoted = (text: string): string =>
  /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
