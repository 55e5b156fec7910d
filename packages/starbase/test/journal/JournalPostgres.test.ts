import { Layer } from "effect"
import * as JournalPostgres from "@starform/starbase/journal/JournalPostgres"
import * as JournalSchema from "@starform/starbase/journal/JournalSchema"
import { layerClient, layerJournal } from "../Postgres.ts"
import { crowded, journalConformance } from "./Journal.conformance.ts"

const layerCrowded = JournalPostgres.layerWith(crowded).pipe(
  Layer.provideMerge(JournalSchema.layer),
  Layer.provideMerge(layerClient)
)

journalConformance("JournalPostgres", layerJournal, layerCrowded)
