import * as JournalMemory from "@starform/starbase/journal/JournalMemory"
import { journalConformance } from "./Journal.conformance.ts"

journalConformance("JournalMemory", JournalMemory.layer)
