/** The local cluster's API server, whole: store, deletion, the way in for controllers, and HTTP. Pods' logs come from outside. */
import * as Http from "node:http"
import * as Https from "node:https"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as ClusterObjectsStore from "./kubernetes/ClusterObjectsStore.ts"
import * as GarbageCollector from "./kubernetes/GarbageCollector.ts"
import * as KubernetesHttp from "./kubernetes/http/KubernetesHttp.ts"
import type { KubernetesSettings } from "./kubernetes/KubernetesSettings.ts"
import * as ObjectStore from "./kubernetes/ObjectStore.ts"
import { PodLogs } from "./kubernetes/PodLogs.ts"

const objects = Layer.mergeAll(GarbageCollector.layer, ClusterObjectsStore.layer)

/** Longer than the pools of clients keep a connection, so that the client is always the one to close. */
const keepAliveTimeout = 65_000

const createServer = ({ certificate }: KubernetesSettings): Http.Server =>
  certificate === null
    ? Http.createServer({ keepAliveTimeout })
    : Https.createServer({
        keepAliveTimeout,
        cert: certificate.certificate,
        key: Redacted.value(certificate.privateKey)
      })

const http = (settings: KubernetesSettings) =>
  KubernetesHttp.layerNoDeps(settings).pipe(
    Layer.provideMerge(
      NodeHttpServer.layer(() => createServer(settings), { host: settings.host, port: settings.port })
    )
  )

/** `ClusterObjects` on disk, without HTTP. */
export const layerObjects = (settings: Pick<KubernetesSettings, "directory" | "secretKey">) =>
  objects.pipe(Layer.provideMerge(ObjectStore.layer(settings)))

/** `ClusterObjects` in memory, without HTTP. */
export const layerObjectsMemory = objects.pipe(Layer.provideMerge(ObjectStore.layerMemory))

/** HTTP over `layerObjects`; needs it and `PodLogs`. */
export const layerHttp = http

/** The token that `layerTest` accepts. */
export const testToken = Redacted.make("kubernetes-test-token")

/** For clusters whose pods do not run. */
export const layerNoLogs: Layer.Layer<PodLogs> = Layer.succeed(PodLogs, { stream: () => Stream.empty })

/** What `layerTest` is told: a port that the system chooses, plain HTTP, `testToken`. */
export const testSettings: KubernetesSettings = {
  host: "127.0.0.1",
  port: 0,
  certificate: null,
  tokens: [testToken],
  directory: "",
  secretKey: Redacted.make("")
}

/** In memory; the port is `HttpServer.address`. Needs `PodLogs`. */
export const layerTest = http(testSettings).pipe(Layer.provideMerge(layerObjectsMemory))
