/** Colours, where the terminal shows them. `NO_COLOR`, `FORCE_COLOR`, `TERM=dumb` and pipes are respected. */
import { TerminalCapabilities } from "effect/cli/TerminalCapabilities"
import * as Effect from "effect/Effect"

type Style = (text: string) => string

export interface Paint {
  readonly bold: Style
  readonly dim: Style
  readonly green: Style
  readonly yellow: Style
  readonly red: Style
}

const escape = (open: number, close: number): Style => {
  return (text) => (text === "" ? "" : `\u001b[${open}m${text}\u001b[${close}m`)
}

const colors: Paint = {
  bold: escape(1, 22),
  dim: escape(2, 22),
  green: escape(32, 39),
  yellow: escape(33, 39),
  red: escape(31, 39)
}

const same: Style = (text) => text

/** No colours at all. */
export const plain: Paint = { bold: same, dim: same, green: same, yellow: same, red: same }

/** For standard output. */
export const paint: Effect.Effect<Paint> = Effect.map(TerminalCapabilities, ({ canColor }) =>
  canColor ? colors : plain
)
