/**
 * Where the Kubernetes API is and how we prove who we are: from a kubeconfig, or from the pod's service account.
 * Credential plugins (`exec`, `auth-provider`) are left to @kubernetes/client-node, which is loaded only then: it
 * costs as much memory as the rest of the agent.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { KubernetesConnectionUnusable } from "./KubernetesErrors.ts"
import { type KubeconfigCluster, type KubeconfigUser, parseKubeconfig } from "./internal/kubeconfigText.ts"
import { pluginAuthorization } from "./internal/pluginCredentials.ts"

export interface TlsMaterial {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
}

export interface Connection {
  /** Without a trailing slash. */
  readonly url: string
  readonly tls: TlsMaterial
  /** Value of the Authorization header, read anew for each request where the credential can rotate. */
  readonly authorization: Effect.Effect<Option.Option<Redacted.Redacted>, KubernetesConnectionUnusable>
}

export class KubernetesConnection extends Context.Service<KubernetesConnection, Connection>()(
  "@starform/shuttle/kubernetes/KubernetesConnection"
) {}

/** Mounted into every pod by Kubernetes. */
const serviceAccountDirectory = "/var/run/secrets/kubernetes.io/serviceaccount"
const serviceAccountUrl = "https://kubernetes.default.svc"

const unusable = (source: string, problem: string) => (cause: unknown) =>
  new KubernetesConnectionUnusable({ source, problem, cause })

const bearer = (token: string) => Option.some(Redacted.make(`Bearer ${token.trim()}`))

const readText = (file: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(file)).pipe(
    Effect.mapError(unusable(file, "cannot be read"))
  )

const inCluster = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const ca = yield* readText(`${serviceAccountDirectory}/ca.crt`)
  return KubernetesConnection.of({
    url: serviceAccountUrl,
    tls: { ca },
    authorization: readText(`${serviceAccountDirectory}/token`).pipe(
      Effect.map(bearer),
      Effect.provideService(FileSystem.FileSystem, fs)
    )
  })
})

const decodeBase64 = Schema.decodeUnknownEffect(Schema.StringFromBase64)

/** Text given in place, base64, or by file, relative to the kubeconfig. */
const material = (directory: string, data: string | undefined, file: string | undefined) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    if (data !== undefined) {
      return yield* decodeBase64(data).pipe(
        Effect.mapError(unusable("kubeconfig", "holds data that is not base64"))
      )
    }
    return file === undefined ? undefined : yield* readText(path.resolve(directory, file))
  })

const tlsOf = Effect.fnUntraced(function* (
  directory: string,
  cluster: KubeconfigCluster,
  user: KubeconfigUser
) {
  const ca = yield* material(
    directory,
    cluster["certificate-authority-data"],
    cluster["certificate-authority"]
  )
  const cert = yield* material(directory, user["client-certificate-data"], user["client-certificate"])
  const key = yield* material(directory, user["client-key-data"], user["client-key"])
  const servername = cluster["tls-server-name"]
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
    ...(cluster["insecure-skip-tls-verify"] === true ? { rejectUnauthorized: false } : {})
  }
})

const basic = (user: KubeconfigUser) =>
  Schema.encodeEffect(Schema.StringFromBase64)(`${user.username ?? ""}:${user.password ?? ""}`).pipe(
    Effect.mapBoth({
      onFailure: unusable("kubeconfig", "has a user name that cannot be sent"),
      onSuccess: (pair) => Option.some(Redacted.make(`Basic ${pair}`))
    })
  )

const authorizationOf = (
  file: string,
  directory: string,
  user: KubeconfigUser
): Effect.Effect<
  Option.Option<Redacted.Redacted>,
  KubernetesConnectionUnusable,
  FileSystem.FileSystem | Path.Path
> => {
  if (user.exec !== undefined || user["auth-provider"] !== undefined) return pluginAuthorization(file)
  const tokenFile = user.tokenFile
  if (tokenFile !== undefined) {
    return Effect.flatMap(Path.Path, (path) => readText(path.resolve(directory, tokenFile))).pipe(
      Effect.map(bearer)
    )
  }
  if (user.token !== undefined) return Effect.succeed(bearer(user.token))
  return user.username === undefined ? Effect.succeedNone : basic(user)
}

const fromKubeconfig = Effect.fnUntraced(function* (file: string) {
  const services = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
  const path = yield* Path.Path
  const directory = path.dirname(file)
  const text = yield* readText(file)
  const config = yield* parseKubeconfig(file, text)
  const context = config.contexts.find((named) => named.name === config["current-context"])?.context
  const cluster = config.clusters.find((named) => named.name === context?.cluster)?.cluster
  const user = config.users.find((named) => named.name === context?.user)?.user
  if (cluster === undefined || user === undefined) {
    return yield* new KubernetesConnectionUnusable({
      source: file,
      problem: "its current context names no cluster and user"
    })
  }
  return KubernetesConnection.of({
    url: cluster.server.replace(/\/+$/, ""),
    tls: yield* tlsOf(directory, cluster, user),
    authorization: authorizationOf(file, directory, user).pipe(Effect.provideContext(services))
  })
})

export const layer: Layer.Layer<
  KubernetesConnection,
  KubernetesConnectionUnusable,
  ShuttleConfig | FileSystem.FileSystem | Path.Path
> = Layer.effect(KubernetesConnection)(
  Effect.gen(function* () {
    const { kubeconfigFile } = yield* ShuttleConfig
    return yield* Option.match(kubeconfigFile, { onNone: () => inCluster, onSome: fromKubeconfig })
  })
)

/** A server that asks for a bearer token over plain HTTP. */
export const layerToken = (url: string, token: Redacted.Redacted): Layer.Layer<KubernetesConnection> =>
  Layer.succeed(KubernetesConnection)({
    url,
    tls: {},
    authorization: Effect.succeed(bearer(Redacted.value(token)))
  })
