/** What a person can say after `npm start --`. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

export interface LaunchOptions {
  /** Keep nothing: state lives in a temporary folder that goes at the end. */
  readonly ephemeral: boolean
  /** Push the bundled sample on first start. */
  readonly sample: boolean
  /** First of the ports; see `LaunchPorts`. */
  readonly portBase: number
  /** Where state is kept; `null` is `.starform` in the checkout. */
  readonly state: string | null
}

export const defaults: LaunchOptions = { ephemeral: false, sample: true, portBase: 4000, state: null }

export const usage = `npm start -- [--ephemeral] [--no-sample] [--port-base N] [--state FOLDER]

  --ephemeral     keep no state: everything is removed at the end
  --no-sample     do not push the bundled sample app on first start
  --port-base N   first of six ports in a row (default ${defaults.portBase})
  --state FOLDER  keep the state there (default .starform)
`

/** The words after \`npm start --\` make no sense. */
export class UnknownOption extends Schema.TaggedError<UnknownOption>()("UnknownOption", {
  option: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `${this.option}: ${this.problem}\n\n${usage}`
  }
}

/** Leaves room for all ports below 65536. */
const portBaseMax = 65_500

export const parse = (words: ReadonlyArray<string>): Result.Result<LaunchOptions, UnknownOption> => {
  let options = defaults
  for (let i = 0; i < words.length; i++) {
    const [option = "", attached] = (words[i] ?? "").split("=", 2)
    switch (option) {
      case "--ephemeral":
        options = { ...options, ephemeral: true }
        break
      case "--no-sample":
        options = { ...options, sample: false }
        break
      case "--port-base": {
        const portBase = Number(attached ?? words[++i])
        if (!Number.isInteger(portBase) || portBase < 1024 || portBase > portBaseMax) {
          const problem = `must be a whole number from 1024 to ${portBaseMax}`
          return Result.fail(new UnknownOption({ option, problem }))
        }
        options = { ...options, portBase }
        break
      }
      case "--state": {
        const state = attached ?? words[++i] ?? ""
        if (state === "") {
          return Result.fail(new UnknownOption({ option, problem: "needs the name of a folder" }))
        }
        options = { ...options, state }
        break
      }
      default:
        return Result.fail(new UnknownOption({ option, problem: "is not an option" }))
    }
  }
  return Result.succeed(options)
}
