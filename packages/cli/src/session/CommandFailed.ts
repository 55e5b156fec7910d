/** How a command can end other than well: one line for the person, and the exit status that scripts look at. */
import { classOf, type ErrorClass, type WireError } from "@starform/domain/errors/Reaction"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

/** The deploy that the command asked for did not become live. */
export const deployFailedStatus = 1

/** By class of the error. 75 and 70 are what `sysexits.h` calls a temporary failure and an internal error. */
const statuses: Readonly<Record<ErrorClass, number>> = { rejected: 2, transient: 75, terminal: 70 }

/** The request cannot succeed as it is; includes a command line that nobody understands. */
export const rejectedStatus = statuses.rejected

/** Nothing is known of the outcome; the same command may succeed later. */
export const transientStatus = statuses.transient

export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  line: Schema.String,
  status: Schema.Int
}) {
  override get message() {
    return this.line
  }
  override get [Runtime.errorExitCode]() {
    return this.status
  }
  /** Whoever ran the command has printed the line. */
  override readonly [Runtime.errorReported] = false
}

export const fromWire = (error: WireError): CommandFailed =>
  new CommandFailed({ line: error.person, status: statuses[classOf(error.reaction)] })

export const rejected = (line: string): CommandFailed => new CommandFailed({ line, status: rejectedStatus })
