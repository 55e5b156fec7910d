/** A runner until it is killed. Arguments: the database's URL, the runner's port, the master key. */
import { NodeRuntime } from "@effect/platform-node"
import { Layer, Redacted } from "effect"
import * as RunnerWorld from "./RunnerWorld.ts"

const [, , databaseUrl = "", runnerPort = "", masterKey = ""] = process.argv

NodeRuntime.runMain(
  Layer.launch(
    RunnerWorld.layer({
      databaseUrl: Redacted.make(databaseUrl),
      runnerPort: Number(runnerPort),
      masterKey: Redacted.make(masterKey)
    })
  )
)
