/** The local cluster as a process: API server, controllers, runtime and gateway. Ends on SIGINT and SIGTERM. */
import { join } from "node:path"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as BlobStoreFolder from "@starform/starbase/storage/BlobStoreFolder"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as ClusterPlanes from "../ClusterPlanes.ts"
import * as ImageStoreFromBlobs from "../images/ImageStoreFromBlobs.ts"
import * as KubernetesServer from "../KubernetesServer.ts"
import type { KubernetesSettings } from "../kubernetes/KubernetesSettings.ts"
import { localClusterConfig, podFolder } from "./LocalClusterConfig.ts"

const cluster = Layer.unwrap(
  Effect.gen(function* () {
    const config = yield* localClusterConfig
    const fs = yield* FileSystem.FileSystem
    const settings: KubernetesSettings = {
      host: "127.0.0.1",
      port: config.kubernetesPort,
      certificate: {
        certificate: yield* fs.readFileString(config.certificateFile),
        privateKey: Redacted.make(yield* fs.readFileString(config.certificateKeyFile))
      },
      tokens: [config.token],
      directory: config.databaseDirectory,
      secretKey: config.secretKey
    }
    const images = ImageStoreFromBlobs.layer({
      directory: join(config.workDirectory, "images"),
      hostPath: config.searchPath.split(":")
    }).pipe(Layer.provide(BlobStoreFolder.layer({ directory: config.blobDirectory })))
    const planes = ClusterPlanes.layer({
      kubelet: { directory: join(config.workDirectory, podFolder), path: config.searchPath },
      gateway: { port: config.gatewayPort }
    })
    return KubernetesServer.layerHttp(settings).pipe(
      Layer.provideMerge(planes),
      Layer.provide(images),
      Layer.provideMerge(KubernetesServer.layerObjects(settings))
    )
  })
)

NodeRuntime.runMain(
  Layer.launch(
    cluster.pipe(Layer.provide(Logger.layer([Logger.consoleLogFmt])), Layer.provide(NodeServices.layer))
  )
)
