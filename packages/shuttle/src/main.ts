/** The agent as a process: everything from the environment, ends on SIGINT and SIGTERM. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as HealthServer from "./health/HealthServer.ts"
import * as KubernetesConnection from "./kubernetes/KubernetesConnection.ts"
import * as Shuttle from "./Shuttle.ts"
import * as ShuttleConfig from "./ShuttleConfig.ts"

const logging = Layer.unwrap(
  Effect.map(ShuttleConfig.ShuttleConfig, ({ logLevel }) =>
    Layer.mergeAll(Logger.layer([Logger.consoleLogFmt]), Layer.succeed(References.MinimumLogLevel)(logLevel))
  )
)

const agent = Shuttle.layer.pipe(
  Layer.provide([KubernetesConnection.layer, HealthServer.layer, NodeHttpClient.layerUndici]),
  Layer.provide(logging),
  Layer.provide(ShuttleConfig.layer),
  Layer.provide(NodeServices.layer)
)

NodeRuntime.runMain(Layer.launch(agent))
