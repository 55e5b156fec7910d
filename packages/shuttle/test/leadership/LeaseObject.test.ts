import { assert, describe, it } from "@effect/vitest"
import * as KubernetesConnection from "@starform/shuttle/kubernetes/KubernetesConnection"
import * as LeaseObject from "@starform/shuttle/leadership/LeaseObject"
import { claimed, fromWire, released } from "@starform/shuttle/leadership/LeaseRecord"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import { Duration, Effect, Layer, Option, Redacted } from "effect"
import { type Answer, json, scriptedServer, silence } from "../fixtures/ScriptedServer.ts"

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678)
const duration = Duration.seconds(15)

/** As Kubernetes answers. */
const wire = {
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: {
    name: "starform-shuttle",
    namespace: "starform-system",
    uid: "u",
    resourceVersion: "7",
    labels: { a: "b" }
  },
  spec: {
    holderIdentity: "shuttle-0_1",
    leaseDurationSeconds: 15,
    acquireTime: "2026-01-02T03:00:00.000000Z",
    renewTime: "2026-01-02T03:04:03.000000Z",
    leaseTransitions: 3
  }
}

const leasing = Effect.fnUntraced(function* (...answers: ReadonlyArray<Answer>) {
  const server = yield* scriptedServer(answers)
  const store = yield* LeaseObject.make({ namespace: "starform-system", name: "starform-shuttle" }).pipe(
    Effect.provide(
      Layer.mergeAll(
        ShuttleConfig.layerTest({ leaseRenewDeadline: Duration.millis(200) }),
        KubernetesConnection.layerToken(server.url, Redacted.make("secret"))
      )
    )
  )
  return { server, store }
})

const path = "/apis/coordination.k8s.io/v1/namespaces/starform-system/leases"

describe("LeaseObject", () => {
  it.live("is taken over at the version that was read, with what others wrote on it", () =>
    Effect.gen(function* () {
      const { server, store } = yield* leasing(json(200, wire))
      const record = Option.getOrThrow(yield* store.read)
      yield* store.write(record, claimed(record, "shuttle-1_2", duration, nowMs))
      const [read, written] = server.received
      assert.deepStrictEqual([read?.method, read?.url], ["GET", `${path}/starform-shuttle`])
      assert.deepStrictEqual([written?.method, written?.url], ["PUT", `${path}/starform-shuttle`])
      assert.strictEqual(written?.headers.authorization, "Bearer secret")
      assert.deepStrictEqual(JSON.parse(written?.body ?? ""), {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: {
          name: "starform-shuttle",
          namespace: "starform-system",
          resourceVersion: "7",
          labels: { a: "b" },
          annotations: {}
        },
        spec: {
          holderIdentity: "shuttle-1_2",
          leaseDurationSeconds: 15,
          acquireTime: "2026-01-02T03:04:05.678000Z",
          renewTime: "2026-01-02T03:04:05.678000Z",
          leaseTransitions: 4
        }
      })
    }).pipe(Effect.scoped)
  )

  it.live("is made where there is none", () =>
    Effect.gen(function* () {
      const { server, store } = yield* leasing(json(404, {}), json(201, wire))
      assert.isTrue(Option.isNone(yield* store.read))
      yield* store.write(null, claimed(null, "shuttle-0_1", duration, nowMs))
      const written = server.received[1]
      assert.deepStrictEqual([written?.method, written?.url], ["POST", path])
      const { metadata, spec } = JSON.parse(written?.body ?? "") as typeof wire
      assert.notProperty(metadata, "resourceVersion")
      assert.strictEqual(spec.leaseTransitions, 0)
    }).pipe(Effect.scoped)
  )

  it.live("tells being late from having no answer", () =>
    Effect.gen(function* () {
      const { store } = yield* leasing(json(409, {}), json(409, {}), json(404, {}), json(403, {}), silence)
      const record = fromWire(wire)
      const write = (before: typeof record | null) =>
        store.write(before, claimed(before, "b", duration, nowMs))
      assert.isTrue(Option.isNone(yield* write(null)))
      assert.isTrue(Option.isNone(yield* write(record)))
      assert.isTrue(Option.isNone(yield* write(record)))
      assert.strictEqual(
        (yield* Effect.flip(write(record))).message,
        "Lease starform-system/starform-shuttle: cannot be written: status 403"
      )
      assert.strictEqual((yield* Effect.flip(store.read)).problem, "no answer")
    }).pipe(Effect.scoped)
  )
})

describe("LeaseRecord", () => {
  it("a renewal keeps since when, and how often the leader changed", () => {
    const record = fromWire(wire)
    assert.deepStrictEqual(claimed(record, "shuttle-0_1", duration, nowMs), {
      holder: "shuttle-0_1",
      durationSeconds: 15,
      acquireTime: "2026-01-02T03:00:00.000000Z",
      renewTime: "2026-01-02T03:04:05.678000Z",
      transitions: 3
    })
  })

  it("a released one names nobody, and is free for whoever sees it", () => {
    const claim = released(fromWire(wire), nowMs)
    assert.deepStrictEqual([claim.holder, claim.transitions], ["", 3])
  })

  it("reads what another version or a person left out", () => {
    const record = fromWire({ metadata: { resourceVersion: "1" } })
    assert.deepStrictEqual([record.holder, record.durationSeconds, record.transitions], ["", null, 0])
  })
})
