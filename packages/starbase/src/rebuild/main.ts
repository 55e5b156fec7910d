/** The operator's command: read models and names from the journal, beside a living Starbase or without one. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { folds } from "../entities/EntityFolds.ts"
import * as JournalPostgres from "../journal/JournalPostgres.ts"
import * as JournalSchema from "../journal/JournalSchema.ts"
import { problemsOf, rebuild, summaryOf } from "../journal/ReadModelRebuild.ts"
import * as StarbaseConfig from "../StarbaseConfig.ts"

/** Something was left as it is; the lines say what. Exit status 1. */
class RebuildIncomplete extends Schema.TaggedError<RebuildIncomplete>()("RebuildIncomplete", {}) {
  override readonly [Runtime.errorReported] = false
}

const program = Effect.gen(function* () {
  const report = yield* rebuild(folds)
  yield* Console.log(summaryOf(report))
  const problems = problemsOf(report)
  yield* Effect.forEach(problems, (line) => Console.error(line), { discard: true })
  if (problems.length > 0) return yield* new RebuildIncomplete()
})

const database = Layer.unwrap(
  Effect.map(StarbaseConfig.databaseUrl, (url) => PgClient.layer({ url, maxConnections: 2 }))
)

const journal = JournalPostgres.layer.pipe(
  Layer.provideMerge(JournalSchema.layer),
  Layer.provideMerge(database),
  Layer.provideMerge(NodeServices.layer)
)

NodeRuntime.runMain(Effect.provide(program, journal))
