import { layerJournal } from "../Postgres.ts"
import { journalConformance } from "./Journal.conformance.ts"

journalConformance("JournalPostgres", layerJournal)
