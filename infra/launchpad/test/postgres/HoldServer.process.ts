/** Runs a server on the directory given as argument until it is killed; prints the server's process id when ready. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect } from "effect"
import * as EmbeddedPostgres from "@starform/launchpad/postgres/EmbeddedPostgres"

const directory = process.argv[2] ?? ""

EmbeddedPostgres.make({ directory, fallbackDirectory: `${directory}-fallback`, durable: false }).pipe(
  Effect.flatMap((server) => Console.log(server.pid)),
  Effect.andThen(Effect.never),
  Effect.scoped,
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
