/** `starbase --role api | worker | all` with this machine's builder, as a process. Ends on SIGINT and SIGTERM. */
import { join } from "node:path"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Starbase from "@starform/starbase/Starbase"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
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

const role = Flag.Literals("role", StarbaseConfig.Role.literals).pipe(
  Flag.optional,
  Flag.withDescription("What this process is for; without it STARBASE_ROLE says, or it is all of it.")
)

const starbase = Command.make("starbase", { role }, (given) =>
  Layer.launch(
    Starbase.layerOfRole(builder).pipe(Layer.provide(StarbaseConfig.layer(Option.getOrNull(given.role))))
  )
).pipe(Command.withDescription("The control plane of Starform. Its settings: docs/configuration.md."))

NodeRuntime.runMain(
  Command.run(starbase, { version: "0.0.0" }).pipe(
    Effect.provide(
      Layer.mergeAll(TerminalCapabilities.layer, Logger.layer([Logger.consoleLogFmt])).pipe(
        Layer.provideMerge(NodeServices.layer)
      )
    )
  )
)
