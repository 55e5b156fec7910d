/**
 * The local cluster's API server in memory. Over TLS, as kubectl sends no token without. Arguments: where to write its kubeconfig;
 * `controllers` for those beside it, which make pods that nobody runs. Else what is written is all that there is.
 */
import { writeFileSync } from "node:fs"
import { NodeServices } from "@effect/platform-node"
import * as Controllers from "@starform/launchpad/controllers/Controllers"
import * as ControllersConfig from "@starform/launchpad/controllers/ControllersConfig"
import * as EventRecorder from "@starform/launchpad/controllers/EventRecorder"
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"
import * as ServerCertificate from "@starform/launchpad/kubernetes/ServerCertificate"
import { Effect, Layer, ManagedRuntime, Redacted, References } from "effect"
import { HttpServer } from "effect/http"
import { serve } from "../../../bench/program.ts"

const [, , kubeconfig = "", beside = ""] = process.argv

const certificate = await Effect.runPromise(ServerCertificate.make(Date.now()))
const token = Redacted.value(KubernetesServer.testToken)

/** Its Gateway is in a namespace that no customer's cluster has: the tests that run against this make that one themselves. */
const controllers = Controllers.layerNoDeps.pipe(
  Layer.provide(EventRecorder.layerNoDeps),
  Layer.provide(ControllersConfig.layer({ gatewayNamespace: "launchpad-gateway" }))
)

const http = KubernetesServer.layerHttp({ ...KubernetesServer.testSettings, certificate })

const runtime = ManagedRuntime.make(
  (beside === "controllers" ? Layer.merge(http, controllers) : http).pipe(
    Layer.provideMerge(KubernetesServer.layerObjectsMemory),
    Layer.provide(KubernetesServer.layerNoLogs),
    Layer.provide(NodeServices.layer),
    Layer.provide(Layer.succeed(References.MinimumLogLevel, "Error"))
  )
)

const url = await runtime.runPromise(
  Effect.map(
    HttpServer.HttpServer,
    ({ address }) => `https://127.0.0.1:${"port" in address ? address.port : 0}`
  )
)

const authority = Buffer.from(certificate.certificate).toString("base64")
writeFileSync(
  kubeconfig,
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "bench", cluster: { server: url, "certificate-authority-data": authority } }],
    users: [{ name: "bench", user: { token } }],
    contexts: [{ name: "bench", context: { cluster: "bench", user: "bench" } }],
    "current-context": "bench"
  })
)

serve({ address: () => ({ url, token, ca: certificate.certificate }) }, () => runtime.dispose())
