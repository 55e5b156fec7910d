/** `starform releases` */
import type { ReleaseId } from "@starform/domain/ids/Ids"
import type { Deploy, DeployPhase } from "@starform/domain/model/Deploy"
import { Release } from "@starform/domain/model/Release"
import * as Command from "effect/cli/Command"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { shortCommit } from "../output/DeployText.ts"
import { paint } from "../output/Paint.ts"
import * as Printing from "../output/Printing.ts"
import { table } from "../output/Table.ts"
import { ago } from "../output/Times.ts"
import { appFlags, choose } from "../session/AppChoice.ts"
import * as Session from "../session/Session.ts"

/**
 * Whether no deploy ever made it live. The deploys are the newest only, so nothing is said of a release whose first one
 * is not among them.
 */
const neverLive = (deploys: ReadonlyArray<Deploy>, release: ReleaseId): boolean => {
  const itsOwn = deploys.filter(({ releaseId }) => releaseId === release)
  return itsOwn.some(({ kind }) => kind === "push") && itsOwn.every(({ phase }) => hasFailed.has(phase))
}

const hasFailed: ReadonlySet<DeployPhase> = new Set(["failed", "cancelled", "superseded"])

export const releasesCommand = Command.make(
  "releases",
  { ...appFlags, ...Printing.jsonFlag },
  Effect.fnUntraced(function* ({ json, ...flags }) {
    const { session, ref: app } = yield* choose(flags)
    const releases = yield* Session.ask(session, session.client.ListReleases({ app }))
    if (json) return yield* Printing.json(Schema.Array(Release), releases)
    if (releases.length === 0) return yield* Printing.lines(["No release yet: push one."])
    const [{ live }, deploys] = yield* Effect.all(
      [
        Session.ask(session, session.client.GetAppStatus({ app })),
        Session.ask(session, session.client.ListDeploys({ app }))
      ],
      { concurrency: 2 }
    )
    const nowMs = yield* Clock.currentTimeMillis
    const colors = yield* paint
    const rows = releases.map(({ id, number, provenance, digest, processes, createdAtMs }) => [
      String(number),
      id === live?.id ? colors.green("live") : colors.dim(neverLive(deploys, id) ? "never live" : ""),
      shortCommit(provenance.gitSha),
      provenance.gitRef.replace(/^refs\/heads\//, ""),
      processes.map(({ name }) => name).join(", "),
      digest.slice(0, 19),
      ago(createdAtMs, nowMs)
    ])
    const heading = ["RELEASE", "", "COMMIT", "BRANCH", "PROCESSES", "IMAGE", "BUILT"]
    yield* Printing.lines(table(colors, heading, rows))
  }, Effect.scoped)
).pipe(Command.withDescription("What was built, newest first; any of it can be rolled back to"))
