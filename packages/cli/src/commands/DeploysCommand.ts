/** `starform deploys` */
import { Deploy } from "@starform/domain/model/Deploy"
import * as Command from "effect/cli/Command"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { kindText, phaseText, shortCommit } from "../output/DeployText.ts"
import { paint } from "../output/Paint.ts"
import * as Printing from "../output/Printing.ts"
import { table } from "../output/Table.ts"
import { ago } from "../output/Times.ts"
import { appFlags, choose } from "../session/AppChoice.ts"
import * as Session from "../session/Session.ts"

export const deploysCommand = Command.make(
  "deploys",
  { ...appFlags, ...Printing.jsonFlag },
  Effect.fnUntraced(function* ({ json, ...flags }) {
    const { session, ref: app } = yield* choose(flags)
    const deploys = yield* Session.ask(session, session.client.ListDeploys({ app }))
    if (json) return yield* Printing.json(Schema.Array(Deploy), deploys)
    if (deploys.length === 0) return yield* Printing.lines(["No deploy yet: push something."])
    const nowMs = yield* Clock.currentTimeMillis
    const colors = yield* paint
    const rows = deploys.map(({ ordinal, kind, phase, commit, failure, phases }) => [
      String(ordinal),
      kindText[kind],
      phaseText(colors, phase),
      commit === null ? "" : shortCommit(commit),
      failure?.code ?? "",
      ago(phases[0]?.atMs ?? nowMs, nowMs)
    ])
    yield* Printing.lines(table(colors, ["DEPLOY", "WHY", "PHASE", "COMMIT", "REASON", "BEGUN"], rows))
  }, Effect.scoped)
).pipe(Command.withDescription("What was made live, or tried to be, newest first"))
