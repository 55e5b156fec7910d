/** `starform scale` */
import { ProcessName } from "@starform/domain/ids/Slug"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Scale } from "@starform/domain/model/AppSettings"
import { paint } from "../output/Paint.ts"
import * as Printing from "../output/Printing.ts"
import { table } from "../output/Table.ts"
import { appFlags, choose, nameOf } from "../session/AppChoice.ts"
import { rejected } from "../session/CommandFailed.ts"
import * as DeployProgress from "../session/DeployProgress.ts"
import * as Session from "../session/Session.ts"

const decodeProcess = Schema.decodeOption(ProcessName)

const wish = (text: string) => {
  const [, name = "", count = ""] = /^([^=]+)=(\d{1,3})$/.exec(text) ?? []
  return Option.match(decodeProcess(name), {
    onNone: () => Effect.fail(rejected(`"${text}" is no scale: write process=copies, e.g. web=2.`)),
    onSome: (process) => Effect.succeed({ process, replicas: Number(count) })
  })
}

export const scaleCommand = Command.make(
  "scale",
  {
    wishes: Argument.String("process=copies").pipe(
      Argument.withDescription("e.g. web=2; without any, shows how it is"),
      Argument.variadic()
    ),
    ...appFlags,
    ...DeployProgress.detachFlag,
    ...Printing.jsonFlag
  },
  Effect.fnUntraced(function* ({ wishes, detach, json, ...flags }) {
    const wanted = yield* Effect.forEach(wishes, wish)
    const chosen = yield* choose(flags)
    const { session, ref: app } = chosen
    if (wanted.length === 0) {
      const { scale } = yield* Session.ask(session, session.client.GetAppStatus({ app }))
      if (json) return yield* Printing.json(Schema.Array(Scale), scale)
      const rows = scale.map(({ process, replicas }) => [process, String(replicas)])
      return yield* Printing.lines(table(yield* paint, ["PROCESS", "COPIES"], rows))
    }
    for (const { process, replicas } of wanted) {
      const requestId = yield* Session.requestId
      const deploy = yield* Session.ask(
        session,
        session.client.SetScale({ app, requestId, process, replicas })
      )
      const headline = `Scaling ${nameOf(app)} to ${process}=${replicas}.`
      yield* DeployProgress.conclude(chosen, deploy, {
        headline,
        detach,
        idle: replicas === 0 ? process : undefined
      })
    }
  }, Effect.scoped)
).pipe(
  Command.withDescription("How many copies of each process run, from 0 to 100"),
  Command.withExamples([
    { command: "starform scale web=3 worker=1", description: "Three of web, one worker" }
  ])
)
