/** Starbase with this machine's builder, as a process. Ends on SIGINT and SIGTERM. */
import { join } from "node:path"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Starbase from "@starform/starbase/Starbase"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as BuildOutcomes from "../builder/BuildOutcomes.ts"
import * as BuildUsers from "../builder/BuildUsers.ts"
import * as DependencyLayers from "../builder/DependencyLayers.ts"
import * as HostBuilder from "../builder/HostBuilder.ts"
import * as HostBuilderConfig from "../builder/HostBuilderConfig.ts"
import * as Toolchain from "../builder/Toolchain.ts"
import { hostStarbaseConfig } from "./HostStarbaseConfig.ts"

const builderSettings = Layer.unwrap(
  Effect.map(hostStarbaseConfig, ({ workDirectory, searchPath, stepEnvironment }) =>
    HostBuilderConfig.layer({
      directory: join(workDirectory, "builds"),
      hostPath: searchPath.split(":"),
      stepEnvironment
    })
  )
)

const builder = HostBuilder.layerNoDeps.pipe(
  Layer.provide([BuildUsers.layer, BuildOutcomes.layer, DependencyLayers.layer, Toolchain.layer]),
  Layer.provide(builderSettings)
)

NodeRuntime.runMain(
  Layer.launch(
    Starbase.layer(builder).pipe(
      Layer.provide(StarbaseConfig.layer),
      Layer.provide(Logger.layer([Logger.consoleLogFmt])),
      Layer.provide(NodeServices.layer)
    )
  )
)
