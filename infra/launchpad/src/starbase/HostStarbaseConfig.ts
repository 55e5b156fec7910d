/** What Launchpad's Starbase is told beside `STARBASE_…`: where builds happen and with what. Keys are `LAUNCHPAD_…`. */
import * as Config from "effect/Config"
import * as Schema from "effect/Schema"

/** Environment variables by name, as one JSON object. */
export const StepEnvironment = Schema.fromJsonString(Schema.Record(Schema.String, Schema.String))

export const hostStarbaseConfig = Config.all({
  /** Open to the users that run builds. */
  workDirectory: Config.NonEmptyString("WORK_DIRECTORY"),
  /** `PATH` of builds, folders separated by colons. */
  searchPath: Config.NonEmptyString("SEARCH_PATH"),
  /** JSON object; added to every step's environment and seen by tenants. */
  stepEnvironment: Config.schema(StepEnvironment, "STEP_ENVIRONMENT").pipe(Config.withDefault({}))
}).pipe(Config.nested("LAUNCHPAD"))
