/** A command line that nobody understands is answered in lines that fit a glance, not by a page of help. */
import type { NonShowHelpErrors } from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { type CommandLine, commandLine } from "../session/CommandLine.ts"

const wordsOf = (path: ReadonlyArray<string>): string => path.slice(1).join(" ")

/** An app is what people write as a word of its own. */
const hints = (
  line: CommandLine,
  path: ReadonlyArray<string>,
  error: NonShowHelpErrors
): ReadonlyArray<string> => {
  const only = error._tag === "UnexpectedArgument" && error.arguments.length === 1 ? error.arguments[0] : ""
  return only === "" || only === undefined
    ? []
    : [`If ${only} is an app: ${line(`${wordsOf(path)} -a ${only}`)}`]
}

/** Usage and examples of a page of help, as they are typed here. */
const typed = (line: CommandLine, doc: CliOutput.Presenter.Help["helpDoc"]): typeof doc => {
  const here = (text: string) => text.replace(/^starform /, line(""))
  return {
    ...doc,
    usage: here(doc.usage),
    ...(doc.examples === undefined
      ? {}
      : { examples: doc.examples.map((example) => ({ ...example, command: here(example.command) })) })
  }
}

export const layer: Layer.Layer<never> = CliOutput.layerPresenter({
  present: Effect.fnUntraced(function* (event) {
    const line = yield* commandLine
    switch (event._tag) {
      case "InvalidInvocation": {
        const path = event.commandPath
        return yield* Console.error(
          [
            ...event.errors.flatMap((error) => [error.message, ...hints(line, path, error)]),
            `${line([...path.slice(1), "--help"].join(" "))} shows what it understands.`
          ].join("\n")
        )
      }
      case "Help":
        return yield* CliOutput.defaultPresenter.present({ ...event, helpDoc: typed(line, event.helpDoc) })
      default:
        return yield* CliOutput.defaultPresenter.present(event)
    }
  })
})
