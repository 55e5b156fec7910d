import * as BuildLogIndexMemory from "@starform/starbase/builds/BuildLogIndexMemory"
import { buildLogIndexConformance } from "./BuildLogIndex.conformance.ts"

buildLogIndexConformance("BuildLogIndexMemory", BuildLogIndexMemory.layer)
