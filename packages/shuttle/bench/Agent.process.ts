/** One agent. Arguments: Starbase's URL, a kubeconfig, the cluster's id, a folder, the interval of full passes in ms. */
import { writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { ClusterId } from "@starform/domain/ids/Ids"
import * as KubernetesConnection from "@starform/shuttle/kubernetes/KubernetesConnection"
import { Reconciler } from "@starform/shuttle/reconcile/Reconciler"
import * as Shuttle from "@starform/shuttle/Shuttle"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import * as References from "effect/References"
import { serve } from "../../../bench/program.ts"

const [, , starbaseUrl = "", kubeconfig = "", clusterId = "", folder = "", interval = "30000"] = process.argv

writeFileSync(join(folder, "token"), "agent-token")

const runtime = ManagedRuntime.make(
  Shuttle.layer.pipe(
    Layer.provide([
      KubernetesConnection.layer,
      NodeHttpClient.layerUndici,
      NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })
    ]),
    Layer.provide(
      ShuttleConfig.layerTest({
        starbaseUrl,
        kubeconfigFile: Option.some(kubeconfig),
        clusterId: ClusterId.make(clusterId),
        tokenFile: join(folder, "token"),
        dataDirectory: folder,
        stateKeyFile: join(folder, "state.key"),
        reconcileInterval: Duration.millis(Number(interval))
      })
    ),
    Layer.provide(Layer.succeed(References.MinimumLogLevel, "Error")),
    Layer.provide(NodeServices.layer)
  )
)

/** Of the newest pass of each project. */
const passes = Effect.gen(function* () {
  const reconciler = yield* Reconciler
  const tasks = yield* reconciler.tasks
  return Array.from(tasks.values(), ({ durationMs, problem, startedAtMs }) => ({
    startedAtMs,
    durationMs,
    problem
  }))
})

await runtime.context()
serve(
  {
    passes: () => runtime.runPromise(passes),
    cpu: () => process.cpuUsage()
  },
  () => runtime.dispose()
)
