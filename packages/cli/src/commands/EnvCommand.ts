/** `starform env list | set | unset` */
import { VariableName } from "@starform/domain/ids/Slug"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { paint } from "../output/Paint.ts"
import * as Printing from "../output/Printing.ts"
import { table } from "../output/Table.ts"
import { appFlags, type ChosenApp, choose, nameOf } from "../session/AppChoice.ts"
import { rejected } from "../session/CommandFailed.ts"
import * as DeployProgress from "../session/DeployProgress.ts"
import * as Session from "../session/Session.ts"

const Listed = Schema.Array(
  Schema.Struct({ key: VariableName, value: Schema.NullOr(Schema.String), secret: Schema.Boolean })
)

const decodeKey = Schema.decodeOption(VariableName)

const keyOf = (text: string) =>
  Effect.fromOption(decodeKey(text)).pipe(
    Effect.mapError(() =>
      rejected(`"${text}" is no name of a variable: letters, digits and underscores, not a digit first.`)
    )
  )

/** All of standard input, without the newline that ends it. */
const standardInput = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  const text = yield* stdio.stdin.pipe(
    Stream.decodeText(),
    Stream.mkString,
    Effect.mapError(() => rejected("Standard input cannot be read."))
  )
  return text.replace(/\r?\n$/, "")
})

const assignment = Effect.fnUntraced(function* (text: string) {
  const at = text.indexOf("=")
  if (at < 0) return yield* rejected(`"${text}" sets nothing: write KEY=value, or KEY=- to read the value.`)
  const key = yield* keyOf(text.slice(0, at))
  const value = text.slice(at + 1)
  return { key, value: value === "-" ? yield* standardInput : value }
})

const change = Effect.fnUntraced(function* (
  chosen: ChosenApp,
  detach: boolean,
  variables: {
    readonly set: ReadonlyArray<{
      readonly key: VariableName
      readonly value: string
      readonly secret: boolean
    }>
    readonly unset: ReadonlyArray<VariableName>
  }
) {
  const { session, ref: app } = chosen
  const requestId = yield* Session.requestId
  const deploy = yield* Session.ask(session, session.client.SetVariables({ app, requestId, ...variables }))
  const verb = variables.set.length > 0 ? "Setting" : "Removing"
  const keys = [...variables.set.map(({ key }) => key), ...variables.unset].join(", ")
  const headline = `${verb} ${keys} of ${nameOf(app)}.`
  yield* DeployProgress.conclude(chosen, deploy, { headline, detach })
})

const list = Command.make(
  "list",
  { ...appFlags, ...Printing.jsonFlag },
  Effect.fnUntraced(function* ({ json, ...flags }) {
    const { session, ref: app } = yield* choose(flags)
    const variables = yield* Session.ask(session, session.client.ListVariables({ app }))
    if (json) return yield* Printing.json(Listed, variables)
    if (variables.length === 0) return yield* Printing.lines([`${nameOf(app)} has no variables of its own.`])
    const colors = yield* paint
    const rows = variables
      .toSorted((a, b) => (a.key < b.key ? -1 : 1))
      .map(({ key, value }) => [key, value ?? colors.dim("(secret)")])
    yield* Printing.lines(table(colors, ["KEY", "VALUE"], rows))
  }, Effect.scoped)
).pipe(Command.withDescription("Names, and the values of those that are no secrets"))

const set = Command.make(
  "set",
  {
    assignments: Argument.String("KEY=value").pipe(
      Argument.withDescription(
        "KEY=- reads the value from standard input and keeps it out of your shell's history"
      ),
      Argument.variadic({ min: 1 })
    ),
    plain: Flag.Boolean("plain").pipe(
      Flag.withDescription("Not a secret: shown again by env list"),
      Flag.withDefault(false)
    ),
    ...appFlags,
    ...DeployProgress.detachFlag
  },
  Effect.fnUntraced(function* ({ assignments, plain, ...flags }) {
    if (assignments.filter((text) => /^[^=]*=-$/.test(text)).length > 1) {
      return yield* rejected("Only one value can come from standard input.")
    }
    const variables = yield* Effect.forEach(assignments, assignment)
    yield* change(yield* choose(flags), flags.detach, {
      set: variables.map((one) => ({ ...one, secret: !plain })),
      unset: []
    })
  }, Effect.scoped)
).pipe(
  Command.withDescription("Set variables. Values are secrets and are never shown again, unless --plain"),
  Command.withExamples([
    { command: "starform env set DATABASE_URL=- < url.txt", description: "A secret, from a file" },
    { command: "starform env set --plain REGION=eu LOG_LEVEL=debug", description: "Two that are no secrets" }
  ])
)

const unset = Command.make(
  "unset",
  {
    keys: Argument.String("KEY").pipe(Argument.variadic({ min: 1 })),
    ...appFlags,
    ...DeployProgress.detachFlag
  },
  Effect.fnUntraced(function* ({ keys, ...flags }) {
    const wanted = yield* Effect.forEach(keys, keyOf)
    const chosen = yield* choose(flags)
    const { session, ref: app } = chosen
    const variables = yield* Session.ask(session, session.client.ListVariables({ app }))
    const isSet = (key: VariableName) => variables.some((variable) => variable.key === key)
    const missing = wanted.filter((key) => !isSet(key))
    const unset = wanted.filter(isSet)
    if (missing.length > 0) {
      const nothing = unset.length === 0 ? " Nothing changes." : ""
      const are = missing.length === 1 ? "is" : "are"
      yield* Printing.lines([`${missing.join(", ")} ${are} not set in ${nameOf(app)}.${nothing}`])
    }
    if (unset.length > 0) yield* change(chosen, flags.detach, { set: [], unset })
  }, Effect.scoped)
).pipe(Command.withDescription("Remove variables"))

export const envCommand = Command.make("env").pipe(
  Command.withDescription("Environment variables of an app; a change is a deploy"),
  Command.withSubcommands([list, set, unset])
)
