import * as Effect from "effect/Effect"
import * as Yaml from "effect/encoding/Yaml"
import * as Schema from "effect/Schema"
import { KubernetesConnectionUnusable } from "../KubernetesErrors.ts"

const key = Schema.optionalKey

const Cluster = Schema.Struct({
  server: Schema.String,
  "certificate-authority": key(Schema.String),
  "certificate-authority-data": key(Schema.String),
  "insecure-skip-tls-verify": key(Schema.Boolean),
  "tls-server-name": key(Schema.String)
})

const User = Schema.Struct({
  token: key(Schema.String),
  tokenFile: key(Schema.String),
  "client-certificate": key(Schema.String),
  "client-certificate-data": key(Schema.String),
  "client-key": key(Schema.String),
  "client-key-data": key(Schema.String),
  username: key(Schema.String),
  password: key(Schema.String),
  exec: key(Schema.Unknown),
  "auth-provider": key(Schema.Unknown)
})
export type KubeconfigUser = typeof User.Type
export type KubeconfigCluster = typeof Cluster.Type

/** The part of a kubeconfig that says where one context's server is and who we are there. */
export const Kubeconfig = Schema.Struct({
  "current-context": Schema.String,
  clusters: Schema.Array(Schema.Struct({ name: Schema.String, cluster: Cluster })),
  contexts: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      context: Schema.Struct({ cluster: Schema.String, user: Schema.String })
    })
  ),
  users: Schema.Array(Schema.Struct({ name: Schema.String, user: User }))
})
export type Kubeconfig = typeof Kubeconfig.Type

const decode = Schema.decodeUnknownEffect(Kubeconfig)

const notKubeconfig = (file: string) => (cause: unknown) =>
  new KubernetesConnectionUnusable({ source: file, problem: "is not a kubeconfig", cause })

/** JSON is YAML, so both are read. */
export const parseKubeconfig = (file: string, text: string) =>
  Effect.try({ try: () => Yaml.parse(text), catch: notKubeconfig(file) }).pipe(
    Effect.flatMap((value) => Effect.mapError(decode(value), notKubeconfig(file)))
  )
