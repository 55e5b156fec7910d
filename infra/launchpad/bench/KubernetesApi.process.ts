/**
 * The local cluster's API server in memory, without controllers and pods: what is written is all that there is. Over TLS, as
 * kubectl sends no token without. Argument: where to write its kubeconfig.
 */
import { writeFileSync } from "node:fs"
import { NodeServices } from "@effect/platform-node"
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"
import * as ServerCertificate from "@starform/launchpad/kubernetes/ServerCertificate"
import { Effect, Layer, ManagedRuntime, Redacted, References } from "effect"
import { HttpServer } from "effect/http"
import { serve } from "../../../bench/program.ts"

const [, , kubeconfig = ""] = process.argv

const certificate = await Effect.runPromise(ServerCertificate.make(Date.now()))
const token = Redacted.value(KubernetesServer.testToken)

const runtime = ManagedRuntime.make(
  KubernetesServer.layerHttp({ ...KubernetesServer.testSettings, certificate }).pipe(
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
