/** `starform logs` */
import { BuildLogLine } from "@starform/domain/model/BuildLogLine"
import { type Deploy, isTerminal } from "@starform/domain/model/Deploy"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { kindText, shortCommit } from "../output/DeployText.ts"
import { paint } from "../output/Paint.ts"
import * as Printing from "../output/Printing.ts"
import { appFlags, type ChosenApp, choose } from "../session/AppChoice.ts"
import { type CommandFailed, rejected } from "../session/CommandFailed.ts"
import * as DeployProgress from "../session/DeployProgress.ts"
import * as Session from "../session/Session.ts"

/** A broken connection is taken up again where it broke, this often in a row without a new line. */
const resumesMax = 5
const resumePause = Duration.seconds(1)

/** Where the app's own output is: it never leaves its cluster. */
const ownOutput = ({ session, ref: { service, environment }, project: { namespace } }: ChosenApp): string =>
  `kubectl${Option.match(session.settings.kubeconfig, { onNone: () => "", onSome: (file) => ` --kubeconfig ${file}` })} logs -n ${namespace} -l starform.io/service-name=${service},starform.io/environment=${environment} --all-containers -f`

/** By number, or by the beginning of its id. */
const named = ({ line }: ChosenApp, deploys: ReadonlyArray<Deploy>, text: string) => {
  const matching = deploys.filter(({ id, ordinal }) =>
    /^\d{1,7}$/.test(text) ? ordinal === Number(text) : id.startsWith(text)
  )
  const only = matching[0]
  return only !== undefined && matching.length === 1
    ? Effect.succeed(only)
    : Effect.fail(rejected(`There is no deploy "${text}". ${line("deploys")} lists them.`))
}

/** The newest push: what `logs` is about unless a deploy is named. */
const newestPush = (deploys: ReadonlyArray<Deploy>) => {
  const newest = deploys.find(({ kind }) => kind === "push")
  return newest === undefined
    ? Effect.fail(rejected("Nothing was built here yet: push something."))
    : Effect.succeed(newest)
}

/** Lines from the first on, each once, over as many connections as it takes. */
const linesOf = ({ session, ref: app }: ChosenApp, deploy: Deploy, follow: boolean) =>
  Stream.suspend(() => {
    let seen = { chunk: 1, index: -1 }
    let resumes = 0
    const connect: Stream.Stream<BuildLogLine, CommandFailed> = Stream.suspend(() =>
      session.client.FollowBuildLog({ app, deployId: deploy.id, fromChunk: seen.chunk, follow })
    ).pipe(
      Stream.filter(({ chunk, index }) => chunk > seen.chunk || (chunk === seen.chunk && index > seen.index)),
      Stream.tap((line) =>
        Effect.sync(() => {
          seen = line
          resumes = 0
        })
      ),
      Stream.catch((error) => {
        resumes++
        return Session.isTransient(error) && resumes <= resumesMax
          ? Stream.unwrap(Effect.as(Effect.sleep(resumePause), connect))
          : Stream.fail(Session.explain(session, error))
      })
    )
    return connect
  })

export const logsCommand = Command.make(
  "logs",
  {
    ...appFlags,
    follow: Flag.Boolean("follow").pipe(
      Flag.withAlias("f"),
      Flag.withDescription("Go on until the deploy has ended"),
      Flag.withDefault(false)
    ),
    deploy: Flag.String("deploy").pipe(
      Flag.withDescription(
        "Number or id of a deploy, as the command deploys lists them; else the newest push"
      ),
      Flag.withMetavar("DEPLOY"),
      Flag.optional
    ),
    ...Printing.jsonFlag
  },
  Effect.fnUntraced(function* ({ follow, deploy: wanted, json, ...flags }) {
    const chosen = yield* choose(flags)
    const { session, ref: app } = chosen
    const deploys = yield* Session.ask(session, session.client.ListDeploys({ app }))
    const deploy = yield* Option.match(wanted, {
      onNone: () => newestPush(deploys),
      onSome: (text) => named(chosen, deploys, text)
    })
    const colors = yield* paint
    const commit = deploy.commit === null ? "" : ` of commit ${shortCommit(deploy.commit)}`
    if (!json)
      yield* Console.error(`Build log of deploy ${deploy.ordinal} (${kindText[deploy.kind]}${commit}).`)
    yield* linesOf(chosen, deploy, follow).pipe(
      Stream.runForEach((line) => {
        if (json) return Printing.jsonLine(BuildLogLine, line)
        return Console.log(line.source === "warning" ? colors.yellow(line.text) : line.text)
      })
    )
    if (follow) {
      if (json) return
      return yield* Effect.flatMap(DeployProgress.follow(chosen, deploy, true), DeployProgress.mustBeLive)
    }
    if (json) return
    if (!isTerminal(deploy.phase)) yield* Console.error(`It goes on: ${chosen.line("logs -f")} follows it.`)
    yield* Console.error(`What the app itself prints is in its cluster:\n  ${ownOutput(chosen)}`)
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "The build log of the newest push, or of a named deploy. " +
      "What the app itself prints stays in its cluster: without -f, the log ends with the kubectl command that shows it"
  ),
  Command.withShortDescription("What the build of the newest push printed")
)
