/** A command line that nobody understands is answered in lines that fit a glance, not by a page of help. */
import * as CliOutput from "effect/cli/CliOutput"
import * as Console from "effect/Console"
import type * as Layer from "effect/Layer"

export const layer: Layer.Layer<never> = CliOutput.layerPresenter({
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(
          [
            ...event.errors.map(({ message }) => message),
            `${event.commandPath.join(" ")} --help shows what it understands.`
          ].join("\n")
        )
      : CliOutput.defaultPresenter.present(event)
})
