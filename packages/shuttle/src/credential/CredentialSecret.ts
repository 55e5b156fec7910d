/**
 * Credentials in a Secret of the cluster, which a new pod and a second replica find. Created, or replaced at the version that was
 * read: of two replicas that write at once one is refused and reads again. The Secret carries no label of ours, so nothing here
 * watches, lists or prunes it. Its own requests, because what the reconciler asks of the API server holds no secret values.
 */
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { KubernetesConnection } from "../kubernetes/KubernetesConnection.ts"
import * as OwnConnection from "../kubernetes/OwnConnection.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { CredentialNotKept, CredentialStore } from "./CredentialStore.ts"
import { empty, StoredCredential } from "./StoredCredential.ts"

const dataKey = "credential.json"

const decodeSecret = Schema.decodeUnknownEffect(
  Schema.fromJsonString(
    Schema.Struct({
      metadata: Schema.Struct({ resourceVersion: Schema.String }),
      data: Schema.optionalKey(Schema.NullOr(Schema.Record(Schema.String, Schema.String)))
    })
  )
)
const codec = Schema.fromJsonString(StoredCredential)
const decode = Schema.decodeUnknownEffect(codec)
const encode = Schema.encodeEffect(codec)

/** Writes that lose against another replica's, in a row. */
const attemptsMax = 5

interface SecretName {
  readonly namespace: string
  readonly name: string
}

const make = Effect.fnUntraced(function* ({ name, namespace }: SecretName) {
  const { kubernetesRequestTimeout } = yield* ShuttleConfig
  const place = `Secret ${namespace}/${name}`
  const collection = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`
  const notKept = (problem: string) => new CredentialNotKept({ place, problem })

  const send = yield* OwnConnection.make(
    kubernetesRequestTimeout,
    (cause) => new CredentialNotKept({ place, problem: "no answer", cause })
  )

  /** `version` is `null` when there is no such Secret. */
  const read = Effect.gen(function* () {
    const { status, text } = yield* send(
      HttpClientRequest.get(`${collection}/${encodeURIComponent(name)}`, { acceptJson: true })
    )
    if (status === 404) return { stored: empty, version: null }
    if (status !== 200) return yield* notKept(`cannot be read: status ${status}`)
    // No cause is kept below: it would quote what it could not read.
    return yield* Effect.gen(function* () {
      const { data, metadata } = yield* decodeSecret(text)
      const kept = data?.[dataKey]
      const stored = kept === undefined ? empty : yield* decode(Buffer.from(kept, "base64").toString("utf8"))
      return { stored, version: metadata.resourceVersion }
    }).pipe(Effect.mapError(() => notKept("holds something else")))
  })

  /** False when another one wrote first. */
  const write = Effect.fnUntraced(function* (stored: StoredCredential, version: string | null) {
    const text = yield* Effect.orDie(encode(stored))
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      type: "Opaque",
      metadata: { name, namespace, ...(version === null ? {} : { resourceVersion: version }) },
      data: { [dataKey]: Buffer.from(text).toString("base64") }
    }
    const body = HttpBody.jsonUnsafe(secret)
    const { status } = yield* send(
      version === null
        ? HttpClientRequest.post(collection, { acceptJson: true, body })
        : HttpClientRequest.put(`${collection}/${encodeURIComponent(name)}`, { acceptJson: true, body })
    )
    // Gone between the read and the write is a race that another read settles too.
    if (status === 409 || (status === 404 && version !== null)) return false
    if (status !== 200 && status !== 201) return yield* notKept(`cannot be written: status ${status}`)
    return true
  })

  return CredentialStore.of({
    load: Effect.map(read, ({ stored }) => stored),
    update: Effect.fnUntraced(function* (change) {
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        const { stored, version } = yield* read
        const after = change(stored)
        if (after === stored || (yield* write(after, version))) return after
      }
      return yield* notKept("was written by another one each time")
    })
  })
})

export const layer = (
  name: SecretName
): Layer.Layer<CredentialStore, never, ShuttleConfig | KubernetesConnection> =>
  Layer.effect(CredentialStore)(make(name))
