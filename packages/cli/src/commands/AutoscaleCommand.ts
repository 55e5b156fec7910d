/** `starform autoscale` */
import { ProcessName } from "@starform/domain/ids/Slug"
import { ProcessAutoscaling } from "@starform/domain/model/Autoscaling"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { paint } from "../output/Paint.ts"
import * as Printing from "../output/Printing.ts"
import { table } from "../output/Table.ts"
import { appFlags, choose, nameOf } from "../session/AppChoice.ts"
import { rejected } from "../session/CommandFailed.ts"
import * as DeployProgress from "../session/DeployProgress.ts"
import * as Session from "../session/Session.ts"

const decodeProcess = Schema.decodeOption(ProcessName)

const usualCpuPercent = 70

interface Wish {
  readonly process: ProcessName
  /** `null` turns it off. */
  readonly between: readonly [least: number, most: number] | null
}

const wishOf = (text: string): Effect.Effect<Wish, ReturnType<typeof rejected>> => {
  const [, name = "", least, most] = /^([^=]+)=(?:off|(\d{1,3})\.\.(\d{1,3}))$/.exec(text) ?? []
  return Option.match(decodeProcess(name), {
    onNone: () =>
      Effect.fail(rejected(`"${text}" is no range: write process=least..most, e.g. web=2..10, or web=off.`)),
    onSome: (process) =>
      Effect.succeed({
        process,
        between: least === undefined ? null : ([Number(least), Number(most)] as const)
      })
  })
}

const percent = (name: string, of: string) =>
  Flag.Int(name).pipe(
    Flag.withDescription(`Aim for this share of its ${of}, over all copies; 1 to 100`),
    Flag.withMetavar("PERCENT"),
    Flag.optional
  )

const share = (value: number | null): string => (value === null ? "" : `${value} %`)

const rowsOf = (autoscaling: ReadonlyArray<ProcessAutoscaling>) =>
  autoscaling.map(({ cpuPercent, maxReplicas, memoryPercent, minReplicas, process }) => [
    process,
    `${minReplicas}..${maxReplicas}`,
    share(cpuPercent),
    share(memoryPercent)
  ])

export const autoscaleCommand = Command.make(
  "autoscale",
  {
    wish: Argument.String("process=least..most").pipe(
      Argument.withDescription("e.g. web=2..10, or web=off; without it, shows how it is"),
      Argument.optional
    ),
    cpu: percent("cpu", "CPU"),
    memory: percent("memory", "memory"),
    ...appFlags,
    ...DeployProgress.detachFlag,
    ...Printing.jsonFlag
  },
  Effect.fnUntraced(function* ({ wish, cpu, memory, detach, json, ...flags }) {
    const wanted = Option.isNone(wish) ? null : yield* wishOf(wish.value)
    const chosen = yield* choose(flags)
    const { session, ref: app } = chosen
    if (wanted === null) {
      const { autoscaling = [] } = yield* Session.ask(session, session.client.GetAppStatus({ app }))
      if (json) return yield* Printing.json(Schema.Array(ProcessAutoscaling), autoscaling)
      if (autoscaling.length === 0) {
        return yield* Printing.lines([`No process of ${nameOf(app)} scales by itself.`])
      }
      return yield* Printing.lines(
        table(yield* paint, ["PROCESS", "COPIES", "CPU", "MEMORY"], rowsOf(autoscaling))
      )
    }
    const { between, process } = wanted
    const memoryPercent = Option.getOrNull(memory)
    const cpuPercent = Option.getOrElse(cpu, () => (memoryPercent === null ? usualCpuPercent : null))
    const autoscaling =
      between === null
        ? null
        : { minReplicas: between[0], maxReplicas: between[1], cpuPercent, memoryPercent }
    const requestId = yield* Session.requestId
    const deploy = yield* Session.ask(
      session,
      session.client.SetAutoscaling({ app, requestId, process, autoscaling })
    )
    const headline =
      between === null
        ? `${process} of ${nameOf(app)} no longer scales by itself.`
        : `Scaling ${process} of ${nameOf(app)} between ${between[0]} and ${between[1]} copies by itself.`
    yield* DeployProgress.conclude(chosen, deploy, { headline, detach })
  }, Effect.scoped)
).pipe(
  Command.withDescription("Let the cluster decide how many copies of a process run, within two numbers"),
  Command.withExamples([
    { command: "starform autoscale web=2..10 --cpu 70", description: "More when it is busy, less when not" },
    { command: "starform autoscale web=off", description: "As many as starform scale says" }
  ])
)
