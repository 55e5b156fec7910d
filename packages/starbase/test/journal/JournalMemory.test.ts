import * as JournalMemory from "@starform/starbase/journal/JournalMemory"
import { crowded, journalConformance } from "./Journal.conformance.ts"

journalConformance("JournalMemory", JournalMemory.layer, JournalMemory.layerWith(crowded))
