import { Effect, Layer } from "effect"
import * as BuildLogIndexPostgres from "@starform/starbase/builds/BuildLogIndexPostgres"
import { layerClient } from "../Postgres.ts"
import { buildLogIndexConformance } from "./BuildLogIndex.conformance.ts"

const schema = Layer.effectDiscard(
  Effect.all([BuildLogIndexPostgres.buildLogSchema, BuildLogIndexPostgres.buildLogSchema], {
    concurrency: "unbounded"
  })
)

buildLogIndexConformance(
  "BuildLogIndexPostgres",
  BuildLogIndexPostgres.layer().pipe(Layer.provide(schema), Layer.provide(layerClient))
)
