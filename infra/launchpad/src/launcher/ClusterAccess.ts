/** How the local cluster is reached: its certificate, kept with the secrets, and the kubeconfig for Shuttle and `kubectl`. */
import * as Https from "node:https"
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { stringify } from "yaml"
import * as ServerCertificate from "../kubernetes/ServerCertificate.ts"

export interface CertificateFiles {
  readonly certificateFile: string
  readonly keyFile: string
  /** PEM. */
  readonly certificate: string
}

/** Made once, kept in the secrets' folder. */
export const certificate = Effect.fnUntraced(function* (secrets: string) {
  const fs = yield* FileSystem.FileSystem
  const certificateFile = join(secrets, "kubernetes-certificate.pem")
  const keyFile = join(secrets, "kubernetes-certificate-key.pem")
  if (!(yield* fs.exists(certificateFile))) {
    const made = yield* ServerCertificate.make(yield* Clock.currentTimeMillis)
    yield* fs.writeFileString(keyFile, Redacted.value(made.privateKey), { mode: 0o600 })
    yield* fs.writeFileString(certificateFile, made.certificate, { mode: 0o600 })
  }
  return { certificateFile, keyFile, certificate: yield* fs.readFileString(certificateFile) }
})

/** A kubeconfig with one cluster, one user and one context, all named `starform`; mode 0600. */
export const writeKubeconfig = Effect.fnUntraced(function* (
  file: string,
  port: number,
  pem: string,
  token: Redacted.Redacted<string>
) {
  const fs = yield* FileSystem.FileSystem
  const name = "starform"
  const content = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name,
        cluster: {
          server: `https://127.0.0.1:${port}`,
          "certificate-authority-data": Buffer.from(pem).toString("base64")
        }
      }
    ],
    users: [{ name, user: { token: Redacted.value(token) } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    "current-context": name
  }
  yield* fs.writeFileString(file, stringify(content), { mode: 0o600 })
  yield* fs.chmod(file, 0o600)
})

/** The cluster's API does not answer, or not with 200. */
export class ClusterSilent extends Schema.TaggedError<ClusterSilent>()("ClusterSilent", {
  reason: Schema.String
}) {}

/** One look at the cluster's `/readyz`, over TLS, trusting its own certificate only. */
export const isReady = (port: number, pem: string): Effect.Effect<void, ClusterSilent> =>
  Effect.callback((resume) => {
    const silent = (reason: string) => resume(Effect.fail(new ClusterSilent({ reason })))
    const request = Https.get(
      { host: "127.0.0.1", port, path: "/readyz", ca: pem, agent: false, timeout: 2_000 },
      (response) => {
        response.resume()
        if (response.statusCode === 200) resume(Effect.void)
        else silent(`status ${response.statusCode}`)
      }
    )
    request.once("timeout", () => request.destroy(new Error("no answer")))
    request.once("error", (error) => silent(error.message))
    return Effect.sync(() => request.destroy())
  })
