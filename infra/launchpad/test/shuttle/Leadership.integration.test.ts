/** Two agents of one cluster, as the API server and Starbase see them. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type FileSystem, type Scope } from "effect"
import { agent, cluster, newApp, nextDeploy, starbase, temporaryFolder, until } from "./AgentHarness.ts"
import { type Candidate, election, withoutLeases } from "./Candidates.ts"

const live = <A, E>(effect: Effect.Effect<A, E, Scope.Scope | FileSystem.FileSystem>) =>
  Effect.scoped(effect).pipe(Effect.provide(NodeServices.layer))

/** Far above a lease and a retry, for a machine that is busy with other things. */
const withinMs = 30_000

/** Each waits for the end of a lease, and longer where the machine is busy. */
const timeout = 120_000

const writesOf = (candidate: Candidate) => Effect.sync(() => candidate.writes().length)

/** It writes, and goes on writing. */
const writing = (candidate: Candidate) =>
  Effect.flatMap(writesOf(candidate), (before) =>
    until(writesOf(candidate), (count) => count > before + 20, withinMs)
  )

/** The first one wrote nothing from the moment on when the second one began. */
const assertHandedOver = (before: Candidate, after: Candidate) => {
  const last = before.writes().at(-1)
  const first = after.writes()[0]
  assert.isBelow(last?.at ?? Infinity, first?.at ?? 0, `${last?.line} … ${first?.line}`)
}

describe("two agents of one cluster", () => {
  it.live(
    "one writes and reports; the other is ready, says so, and leads after the first was killed",
    () =>
      live(
        Effect.gen(function* () {
          const { busy, outside } = yield* election
          const a = yield* outside
          yield* busy
          yield* writing(a)
          const b = yield* outside
          const ready = yield* until(b.page("/readyz"), (page) => page?.status === 200, withinMs)
          assert.strictEqual(ready?.text, "ok\n")
          assert.include((yield* a.page("/metrics"))?.text, "starform_shuttle_leader 1")
          assert.include((yield* b.page("/metrics"))?.text, "starform_shuttle_leader 0")
          yield* writing(a)
          assert.isEmpty(b.writes())
          assert.isEmpty(b.reports())
          assert.isNotEmpty(a.reports())
          a.signal("SIGKILL")
          yield* writing(b)
          assertHandedOver(a, b)
          assert.include((yield* b.page("/metrics"))?.text, "starform_shuttle_leader 1")
          yield* until(
            Effect.sync(() => b.reports().length),
            (count) => count > 0,
            withinMs
          )
        })
      ),
    timeout
  )

  it.live(
    "INV-LEA-3 one that stops hands over: the other need not wait for the lease",
    () =>
      live(
        Effect.gen(function* () {
          const { busy, holder, inside } = yield* election
          const a = yield* inside
          yield* busy
          yield* writing(a)
          const b = yield* inside
          const first = yield* holder
          yield* a.stop
          assert.notStrictEqual(yield* holder, first)
          yield* writing(b)
          assertHandedOver(a, b)
        })
      ),
    timeout
  )

  it.live(
    "INV-LEA-1 one that cannot renew, but can write, stops writing before the other begins",
    () =>
      live(
        Effect.gen(function* () {
          const { busy, inside } = yield* election
          const a = yield* inside
          yield* busy
          yield* writing(a)
          const b = yield* inside
          a.kubernetes.allow(withoutLeases)
          yield* writing(b)
          assertHandedOver(a, b)
          const told = a.reports().length
          const refused = a.kubernetes.refused.length
          yield* until(
            Effect.sync(() => a.kubernetes.refused.length),
            (count) => count > refused + 2,
            withinMs
          )
          assertHandedOver(a, b)
          assert.strictEqual(a.reports().length, told)
        })
      ),
    timeout
  )

  it.live(
    "INV-LEA-2 one that stood still for longer than its lease writes nothing when it wakes",
    () =>
      live(
        Effect.gen(function* () {
          const { busy, inside, outside } = yield* election
          const a = yield* outside
          yield* busy
          yield* writing(a)
          const b = yield* inside
          a.signal("SIGSTOP")
          yield* writing(b)
          assertHandedOver(a, b)
          const [written, told, looked] = [a.writes().length, a.reports().length, a.kubernetes.asked.length]
          a.signal("SIGCONT")
          const looks = () => a.kubernetes.asked.slice(looked).filter(({ resource }) => resource === "leases")
          yield* until(Effect.sync(looks), (leases) => leases.length > 3, withinMs)
          assert.strictEqual(a.writes().length, written)
          // One that was made before it stood still may have been on its way to the wire.
          assert.isAtMost(a.reports().length, told + 1)
          yield* b.stop
          yield* writing(a)
        })
      ),
    timeout
  )

  it.live("what an earlier leader wrote late is taken back", () =>
    live(
      Effect.gen(function* () {
        const { base, inside, person } = yield* election
        yield* inside
        const app = newApp()
        const collection = `/apis/apps/v1/namespaces/${app.namespace}/deployments`
        const holding = (image: string) =>
          until(person.list(collection), (items) => JSON.stringify(items[0]?.spec ?? "").includes(image))
        base.want([app])
        const [earlier] = yield* holding(app.image)
        const next = nextDeploy(app)
        base.want([next])
        yield* holding(next.image)
        const { annotations, labels, name } = earlier!.metadata
        const late = {
          apiVersion: "apps/v1",
          kind: "Deployment",
          metadata: { name, namespace: app.namespace, labels, annotations },
          spec: earlier!.spec
        }
        const path = `${collection}/${name}?fieldManager=starform-shuttle&force=true`
        const { body } = yield* person.call("PATCH", path, late, "application/apply-patch+yaml")
        assert.include(JSON.stringify(body), app.image)
        yield* holding(next.image)
      })
    )
  )

  it.live("INV-LEA-5 an agent that is told no Lease writes at once and asks for none", () =>
    live(
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const { proxy } = yield* cluster
        const base = yield* starbase
        yield* agent(base.url, proxy.url, folder)
        base.want([newApp()])
        yield* until(
          Effect.sync(() => proxy.writes.length),
          (count) => count > 5
        )
        assert.isFalse(proxy.asked.some(({ resource }) => resource === "leases"))
      })
    )
  )
})
