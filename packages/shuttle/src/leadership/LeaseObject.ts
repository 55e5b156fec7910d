/**
 * The Lease as an object of the cluster, over a connection of its own: nothing that the reconciler asks of the API server, and
 * no pace that it keeps, delays a renewal.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as OwnConnection from "../kubernetes/OwnConnection.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { fromWire, type LeaseClaim, type LeaseRecord, toSpec, WireLease } from "./LeaseRecord.ts"
import { LeaseStore, LeaseUnavailable } from "./LeaseStore.ts"

export interface LeaseName {
  readonly namespace: string
  readonly name: string
}

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(WireLease))

/** Of the time within which a renewal must succeed: a request that gets no answer leaves room for another one. */
const attemptsWithinDeadline = 2

export const make = Effect.fnUntraced(function* ({ name, namespace }: LeaseName) {
  const { leaseRenewDeadline } = yield* ShuttleConfig
  const collection = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`
  const path = `${collection}/${encodeURIComponent(name)}`
  const unavailable = (problem: string, cause?: unknown) =>
    new LeaseUnavailable({
      lease: `${namespace}/${name}`,
      problem,
      ...(cause === undefined ? {} : { cause })
    })

  const send = yield* OwnConnection.make(
    Duration.divideUnsafe(leaseRenewDeadline, attemptsWithinDeadline),
    (cause) => unavailable("no answer", cause)
  )

  const parse = (body: string) =>
    decode(body).pipe(
      Effect.map(fromWire),
      Effect.mapError((cause) => unavailable("the answer does not fit the API", cause))
    )

  return LeaseStore.of({
    read: Effect.gen(function* () {
      const { status, text } = yield* send(HttpClientRequest.get(path, { acceptJson: true }))
      if (status === 404) return Option.none()
      if (status !== 200) return yield* unavailable(`cannot be read: status ${status}`)
      return Option.some(yield* parse(text))
    }),
    write: Effect.fnUntraced(function* (before: LeaseRecord | null, claim: LeaseClaim) {
      const metadata =
        before === null
          ? { name, namespace }
          : {
              name,
              namespace,
              resourceVersion: before.version,
              labels: before.labels,
              annotations: before.annotations
            }
      const body = HttpBody.jsonUnsafe({
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata,
        spec: toSpec(claim)
      })
      const { status, text } = yield* send(
        before === null
          ? HttpClientRequest.post(collection, { acceptJson: true, body })
          : HttpClientRequest.put(path, { acceptJson: true, body })
      )
      // Gone between the read and the write is a race that another read settles too.
      if (status === 409 || (status === 404 && before !== null)) return Option.none()
      if (status !== 200 && status !== 201) return yield* unavailable(`cannot be written: status ${status}`)
      return Option.some(yield* parse(text))
    })
  })
})
