/** One line of a build's log, as it is kept and as it is shown. */
import * as Schema from "effect/Schema"

/** `output`: of a step. `notice`: of the builder. `warning`: of the builder, worth a person's attention. */
export const LineSource = Schema.Literals(["output", "notice", "warning"])
export type LineSource = typeof LineSource.Type

export const BuildLogLine = Schema.Struct({
  /** Of the chunk that holds the line; a reader that goes on later asks from the last one that it saw whole, plus one. */
  chunk: Schema.Int,
  /** Place within its chunk, from 0. */
  index: Schema.Int,
  atMs: Schema.Int,
  source: LineSource,
  /** Without line end; colours of the tool are kept, whatever else would act on a terminal is not. */
  text: Schema.String
})
export type BuildLogLine = typeof BuildLogLine.Type
