/** `starform`: the public API for a person at a terminal. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as CliConfig from "effect/cli/CliConfig"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Misuse from "./output/Misuse.ts"
import { run } from "./Starform.ts"

const flags = CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })

const services = Layer.mergeAll(
  NodeHttpClient.layerUndici,
  TerminalCapabilities.layer,
  Misuse.layer,
  flags
).pipe(Layer.provideMerge(NodeServices.layer))

NodeRuntime.runMain(Effect.provide(run, services))
