/** `starform why` */
import { Explanation } from "@starform/domain/protocol/Explanation"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { paint } from "../output/Paint.ts"
import * as Printing from "../output/Printing.ts"
import { whyLines } from "../output/WhyText.ts"
import { appFlags, choose, nameOf } from "../session/AppChoice.ts"
import * as Session from "../session/Session.ts"

export const whyCommand = Command.make(
  "why",
  { ...appFlags, ...Printing.jsonFlag },
  Effect.fnUntraced(function* ({ json, ...flags }) {
    const { session, ref: app } = yield* choose(flags)
    const explanation = yield* Session.ask(session, session.client.ExplainApp({ app }))
    if (json) return yield* Printing.json(Explanation, explanation)
    yield* Printing.lines(whyLines(yield* paint, nameOf(app), explanation))
  }, Effect.scoped)
).pipe(Command.withDescription("Why an app is not live: how far its newest deploy came, and what holds it"))
