/**
 * Stands in for kube-apiserver, or with its first word for etcd, where the start of the programs is tested: it is none of both. It
 * takes their arguments and fails on one that it does not need to know the meaning of. As kube-apiserver it is Launchpad's API
 * server, asks etcd first, and is not ready at once.
 */
import { NodeServices } from "@effect/platform-node"
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"
import { Layer, ManagedRuntime, Redacted, References } from "effect"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { parseArgs } from "node:util"

const [, , program = "", ...words] = process.argv

const string = { type: "string" } as const

const etcd = () => {
  const { values } = parseArgs({
    args: words,
    options: {
      "data-dir": string,
      "listen-client-urls": string,
      "advertise-client-urls": string,
      "listen-peer-urls": string,
      "unsafe-no-fsync": { type: "boolean" }
    }
  })
  const { hostname, port } = new URL(values["listen-client-urls"] ?? "")
  createServer((_, answer) => answer.end(JSON.stringify({ health: "true" }))).listen(Number(port), hostname)
}

const apiServer = async () => {
  const { values } = parseArgs({
    args: words,
    options: {
      "etcd-servers": string,
      "bind-address": string,
      "advertise-address": string,
      "endpoint-reconciler-type": string,
      "secure-port": string,
      "cert-dir": string,
      "tls-cert-file": string,
      "tls-private-key-file": string,
      "token-auth-file": string,
      "authorization-mode": string,
      "service-account-issuer": string,
      "service-account-key-file": string,
      "service-account-signing-key-file": string,
      "service-cluster-ip-range": string,
      "disable-admission-plugins": string
    }
  })
  const text = (name: keyof typeof values) => readFileSync(String(values[name]), "utf8")
  if (!(await fetch(`${values["etcd-servers"]}/health`)).ok) throw new Error("etcd does not answer")
  for (const key of ["service-account-key-file", "service-account-signing-key-file"] as const) {
    if (!text(key).includes("KEY-----")) throw new Error(`${key} holds no key`)
  }
  const [token = "", user, id, groups] = text("token-auth-file").trim().split(",")
  if (user === undefined || id === undefined || groups !== '"system:masters"')
    throw new Error("no such token file")
  await new Promise((resolve) => setTimeout(resolve, 500))
  ManagedRuntime.make(
    KubernetesServer.layerHttp({
      ...KubernetesServer.testSettings,
      host: String(values["bind-address"]),
      port: Number(values["secure-port"]),
      certificate: {
        certificate: text("tls-cert-file"),
        privateKey: Redacted.make(text("tls-private-key-file"))
      },
      tokens: [Redacted.make(token)]
    }).pipe(
      Layer.provideMerge(KubernetesServer.layerObjectsMemory),
      Layer.provide(KubernetesServer.layerNoLogs),
      Layer.provide(NodeServices.layer),
      Layer.provide(Layer.succeed(References.MinimumLogLevel, "Error"))
    )
  ).runFork(Layer.launch(Layer.empty))
}

if (program === "etcd") etcd()
else await apiServer()
