/** `kubectl` as a user runs it, against a whole local cluster over HTTPS whose pods are node scripts. */
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"
import * as ServerCertificate from "@starform/launchpad/kubernetes/ServerCertificate"
import { Context, Duration, Effect, Layer, Redacted, type Scope } from "effect"
import { HttpServer } from "effect/http"
import { execFile, spawn, spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { objectsMemory, planes } from "../runtime/LocalCluster.ts"

/** Why these tests cannot run here; `undefined` when they can. */
export const missing: string | undefined =
  spawnSync("kubectl", ["version", "--client"]).status === 0 ? undefined : "kubectl is not installed"

export interface Outcome {
  readonly code: number
  readonly output: string
  readonly errors: string
}

export class Kubectl extends Context.Service<
  Kubectl,
  {
    readonly run: (...args: ReadonlyArray<string>) => Effect.Effect<Outcome>
    /** A command that does not end by itself; answers what it has printed so far, and dies with the scope. */
    readonly follow: (...args: ReadonlyArray<string>) => Effect.Effect<() => string, never, Scope.Scope>
  }
>()("@starform/launchpad/test/Kubectl") {}

const kubeconfig = (port: number) => ({
  apiVersion: "v1",
  kind: "Config",
  clusters: [
    { name: "local", cluster: { server: `https://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } }
  ],
  users: [{ name: "local", user: { token: Redacted.value(KubernetesServer.testToken) } }],
  contexts: [{ name: "local", context: { cluster: "local", user: "local" } }],
  "current-context": "local"
})

const layerKubectl = (folder: string) =>
  Layer.effect(
    Kubectl,
    Effect.map(HttpServer.HttpServer, ({ address }) => {
      const file = join(folder, "kubeconfig")
      writeFileSync(file, JSON.stringify(kubeconfig("port" in address ? address.port : 0)))
      const own = ["--kubeconfig", file, "--cache-dir", join(folder, "kubectl-cache")]
      return Kubectl.of({
        run: (...args) =>
          Effect.promise(
            () =>
              new Promise((resolve) => {
                execFile("kubectl", [...own, ...args], { timeout: 20_000 }, (error, output, errors) =>
                  resolve({ code: error === null ? 0 : 1, output, errors })
                )
              })
          ),
        follow: (...args) =>
          Effect.map(
            Effect.acquireRelease(
              Effect.sync(() => {
                const child = spawn("kubectl", [...own, ...args])
                const printed = { text: "" }
                child.stdout.on("data", (bytes: Buffer) => (printed.text += bytes.toString("utf8")))
                return { child, printed }
              }),
              ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
            ),
            ({ printed }) =>
              () =>
                printed.text
          )
      })
    })
  )

/** Objects, controllers, runtime, API server; images are written into the folder. */
export const cluster = (folder: string) =>
  Layer.unwrap(
    Effect.map(ServerCertificate.make(Date.now()), (certificate) =>
      layerKubectl(folder).pipe(
        Layer.provide(KubernetesServer.layerHttp({ ...KubernetesServer.testSettings, certificate })),
        Layer.provideMerge(planes(folder, { usagePeriod: Duration.millis(200) })),
        Layer.provideMerge(objectsMemory)
      )
    )
  )
