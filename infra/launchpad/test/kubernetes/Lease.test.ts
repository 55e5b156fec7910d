/** `Lease`: what leader election asks of an API server. */
import { assert, describe, it } from "@effect/vitest"
import { at } from "@starform/launchpad/kubernetes/kinds/TableColumn"
import { Effect } from "effect"
import { ask, inNamespace, table } from "./ApiRequests.ts"

const leases = "/apis/coordination.k8s.io/v1/namespaces/demo/leases"

const lease = (spec: Readonly<Record<string, unknown>>, resourceVersion?: unknown) => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: {
    name: "x",
    namespace: "demo",
    ...(resourceVersion === undefined ? {} : { resourceVersion })
  },
  spec
})

const held = (holderIdentity: string) => ({
  holderIdentity,
  leaseDurationSeconds: 15,
  acquireTime: "2026-01-02T03:04:05.678000Z",
  renewTime: "2026-01-02T03:04:05.678000Z",
  leaseTransitions: 0
})

describe("Lease", () => {
  it.effect("is made by one of two, and taken by one of two that read the same version", () =>
    inNamespace(
      Effect.gen(function* () {
        const made = yield* ask("POST", leases, lease(held("a")))
        assert.deepStrictEqual([made.status, at(made.body, "spec")], [201, held("a")])
        const second = yield* ask("POST", leases, lease(held("b")))
        assert.deepStrictEqual([second.status, second.body["reason"]], [409, "AlreadyExists"])
        const version = at(made.body, "metadata", "resourceVersion")
        const answers = yield* Effect.forEach(["b", "c", "d"], (holder) =>
          ask("PUT", `${leases}/x`, lease(held(holder), version))
        )
        assert.deepStrictEqual(
          answers.map(({ status }) => status),
          [200, 409, 409]
        )
        assert.strictEqual(
          answers[1]?.body["message"],
          'Operation cannot be fulfilled on leases.coordination.k8s.io "x": the object has been modified; please apply your changes to the latest version and try again'
        )
        const read = yield* ask("GET", `${leases}/x`)
        assert.deepStrictEqual(at(read.body, "spec"), held("b"))
        assert.strictEqual((yield* table(leases))[0]?.["Holder"], "b")
      })
    )
  )

  it.effect("is given back without a holder", () =>
    inNamespace(
      Effect.gen(function* () {
        const made = yield* ask("POST", leases, lease(held("a")))
        const { holderIdentity, ...nobody } = held("a")
        const version = at(made.body, "metadata", "resourceVersion")
        const given = yield* ask("PUT", `${leases}/x`, lease(nobody, version))
        assert.deepStrictEqual([given.status, at(given.body, "spec")], [200, nobody], holderIdentity)
        assert.strictEqual((yield* table(leases))[0]?.["Holder"], "")
      })
    )
  )

  it.effect("lasts for a while, and has changed hands as often as it has", () =>
    inNamespace(
      Effect.gen(function* () {
        const { body, status } = yield* ask(
          "POST",
          leases,
          lease({ leaseDurationSeconds: -1, leaseTransitions: -1 })
        )
        assert.strictEqual(status, 422)
        assert.strictEqual(
          body["message"],
          'Lease.coordination.k8s.io "x" is invalid: [spec.leaseDurationSeconds: Invalid value: -1: must be greater than 0, spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0]'
        )
      })
    )
  )
})
