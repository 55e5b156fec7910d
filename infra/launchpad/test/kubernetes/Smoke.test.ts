import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpServer } from "effect/http"
import { execFile } from "node:child_process"
import { writeFileSync, mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import * as ServerCertificate from "@starform/launchpad/kubernetes/ServerCertificate"
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"

const run = promisify(execFile)

const cluster = Layer.unwrap(
  Effect.map(ServerCertificate.make(Date.now()), (certificate) =>
    KubernetesServer.layerHttp({ ...KubernetesServer.testSettings, certificate }).pipe(
      Layer.provideMerge(KubernetesServer.layerObjectsMemory)
    )
  )
).pipe(Layer.provide(KubernetesServer.layerNoLogs))

it.layer(cluster, {
  excludeTestServices: true
})("kubectl", (it) => {
  it.effect("applies, lists, describes and deletes", () =>
    Effect.gen(function* () {
      const server = yield* HttpServer.HttpServer
      const address = server.address
      const port = (address as { readonly port: number }).port
      const folder = mkdtempSync(join(tmpdir(), "kubectl-"))
      const kubeconfig = join(folder, "kubeconfig")
      writeFileSync(
        kubeconfig,
        JSON.stringify({
          apiVersion: "v1",
          kind: "Config",
          clusters: [
            { name: "l", cluster: { server: `https://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } }
          ],
          users: [{ name: "l", user: { token: "kubernetes-test-token" } }],
          contexts: [{ name: "l", context: { cluster: "l", user: "l" } }],
          "current-context": "l"
        })
      )
      const kubectl = (...args: Array<string>) =>
        Effect.promise(() =>
          run("kubectl", ["--kubeconfig", kubeconfig, "--cache-dir", folder, ...args]).then(
            (r) => r.stdout + r.stderr,
            (e) => String(e.stderr)
          )
        )
      const file = join(folder, "a.json")
      writeFileSync(
        file,
        [
          { apiVersion: "v1", kind: "Namespace", metadata: { name: "demo" } },
          {
            apiVersion: "v1",
            kind: "ConfigMap",
            metadata: { name: "c", namespace: "demo" },
            data: { a: "1" }
          },
          {
            apiVersion: "apps/v1",
            kind: "Deployment",
            metadata: { name: "web", namespace: "demo" },
            spec: {
              selector: { matchLabels: { app: "web" } },
              template: {
                metadata: { labels: { app: "web" } },
                spec: { containers: [{ name: "app", image: "x:1", ports: [{ containerPort: 80 }] }] }
              }
            }
          }
        ]
          .map((d) => JSON.stringify(d))
          .join("\n---\n")
      )
      for (const args of [
        ["apply", "--server-side", "-f", file],
        ["apply", "--server-side", "-f", file, "-v6"],
        ["get", "deploy,cm,ns", "-A"],
        ["describe", "deploy", "web", "-n", "demo"],
        ["scale", "deploy", "web", "-n", "demo", "--replicas=3"],
        ["get", "deploy", "-n", "demo", "-o", "yaml"],
        ["delete", "deploy", "web", "-n", "demo"],
        ["delete", "ns", "demo"],
        ["get", "nothings"],
        ["api-resources"]
      ]) {
        console.log(`$ kubectl ${args.join(" ")}\n${yield* kubectl(...args)}`)
      }
      assert.isTrue(true)
    })
  )
})
