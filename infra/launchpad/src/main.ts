/** `npm start`: the whole platform on this machine, until Ctrl-C. */
import { resolve } from "node:path"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Launch from "./launcher/Launch.ts"
import * as LaunchOptions from "./launcher/LaunchOptions.ts"

const checkout = resolve(import.meta.dirname, "../../..")

const services = Layer.mergeAll(NodeServices.layer, NodeHttpClient.layerNodeHttp)

const words = process.argv.slice(2)

const program: Effect.Effect<
  unknown,
  { readonly message: string },
  Layer.Success<typeof services>
> = words.includes("--help")
  ? Console.log(LaunchOptions.usage)
  : Effect.fromResult(LaunchOptions.parse(words)).pipe(
      Effect.flatMap((options) => Launch.prepare(checkout, options)),
      Effect.flatMap(Launch.launch),
      Effect.onInterrupt(() => Console.log("\nStopping …")),
      Effect.scoped,
      Effect.onInterrupt(() => Console.log("Stopped: nothing of Starform runs any more."))
    )

program.pipe(
  Effect.catch((error) =>
    Console.error(`\n${error.message}`).pipe(Effect.andThen(Effect.sync(() => (process.exitCode = 1))))
  ),
  Effect.provide(services),
  NodeRuntime.runMain
)
