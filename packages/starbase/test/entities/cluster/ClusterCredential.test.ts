/** The Cluster entity and its agent's credential: what ends a parked pull, what a rotation leaves open, which release is served. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { Entity, ShardingConfig } from "effect/cluster"
import { TestClock } from "effect/testing"
import * as Revision from "@starform/domain/ids/Revision"
import { Slug } from "@starform/domain/ids/Slug"
import { unsaid } from "@starform/domain/protocol/VersionSkew"
import * as ClusterBehavior from "@starform/starbase/entities/cluster/ClusterBehavior"
import { ClusterEntity } from "@starform/starbase/entities/cluster/ClusterEntity"
import * as ResidentClusters from "@starform/starbase/entities/ResidentClusters"
import * as GatedJournal from "../GatedJournal.ts"
import * as Specimens from "../Specimens.ts"

const runner = Entity.makeTestClient(
  ClusterEntity,
  ClusterBehavior.layerNoDeps.pipe(Layer.provide(ResidentClusters.layer))
)

type Client = Effect.Success<ReturnType<Effect.Success<typeof runner>>>

const { request } = Specimens
const clusterId = Specimens.clusterId(1)
const epoch = "0a0b0c0d"
const known = Revision.format({ epoch, n: 0 })
const [first, second, third] = ["1", "2", "3"].map((digit) => digit.repeat(64)) as [string, string, string]
const joinTokenHash = "f".repeat(64)

const services = Layer.merge(GatedJournal.layer, ShardingConfig.layer())

const registration = {
  clusterId,
  name: Slug.make("local"),
  region: "here",
  agentTokenHash: null
}

/** Registered, with a join token; nobody has joined. */
const open = Effect.gen(function* () {
  const cluster = (yield* runner)(clusterId)
  const client = yield* cluster
  yield* client.RegisterCluster({ ...request("register"), registration, epoch })
  yield* client.IssueJoinToken({ ...request("token"), joinTokenHash })
  return client
})

const join = (cluster: Client, credentialHash: string) => cluster.Join({ joinTokenHash, credentialHash })

const joined = Effect.tap(open, (cluster) => join(cluster, first))

const pull = (cluster: Client, agentTokenHash: string, waitMs = 30_000) =>
  cluster.AwaitDesired({ agentTokenHash, known, waitMs, allowDelta: true })

const park = (cluster: Client, hash: string) =>
  Effect.forkChild(pull(cluster, hash), { startImmediately: true })

const refused = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), ({ _tag }) => assert.strictEqual(_tag, "Unauthenticated"))

const offer = (cluster: Client, by: string, credentialHash: string) =>
  cluster.OfferCredential({ agentTokenHash: by, credentialHash })

const report = (cluster: Client, agentTokenHash: string) =>
  cluster.Report({
    agentTokenHash,
    report: { revision: null, apps: [], complete: false, agentVersion: "test" }
  })

const test = <E>(effect: Effect.Effect<unknown, E, Effect.Services<typeof open>>) =>
  effect.pipe(Effect.scoped, Effect.provide(services))

describe("joining", () => {
  it.effect("INV-CLU-11 is for whoever has the token, once, and its repeat is answered alike", () =>
    test(
      Effect.gen(function* () {
        const cluster = yield* open
        yield* refused(pull(cluster, first, 0))
        yield* refused(cluster.Join({ joinTokenHash: "e".repeat(64), credentialHash: first }))
        yield* join(cluster, first)
        yield* join(cluster, first)
        yield* refused(join(cluster, second))
        assert.strictEqual((yield* pull(cluster, first, 0))._tag, "Unchanged")
        const { credential } = yield* cluster.GetCluster()
        assert.deepInclude(credential, { state: "valid", joinTokenUntilMs: null })
      })
    )
  )

  it.effect("INV-CLU-11 is over when the token's hour is, to the millisecond of Starbase's clock", () =>
    test(
      Effect.gen(function* () {
        const cluster = yield* open
        yield* TestClock.adjust("1 hour")
        yield* refused(join(cluster, first))
        yield* cluster.IssueJoinToken({ ...request("again"), joinTokenHash: "d".repeat(64) })
        yield* TestClock.adjust("59 minutes")
        yield* refused(join(cluster, first))
        yield* cluster.Join({ joinTokenHash: "d".repeat(64), credentialHash: first })
      })
    )
  )

  it.effect("replaces the agent before it, whose parked pull ends", () =>
    test(
      Effect.gen(function* () {
        const cluster = yield* joined
        const parked = yield* park(cluster, first)
        yield* cluster.IssueJoinToken({ ...request("again"), joinTokenHash: "d".repeat(64) })
        yield* cluster.Join({ joinTokenHash: "d".repeat(64), credentialHash: second })
        yield* refused(Fiber.join(parked))
        yield* refused(join(cluster, first))
      })
    )
  )
})

describe("rotating", () => {
  it.effect("INV-CLU-10 takes both until the new one is used, and ends no pull that the old one parked", () =>
    test(
      Effect.gen(function* () {
        const cluster = yield* joined
        const parked = yield* park(cluster, first)
        yield* offer(cluster, first, second)
        yield* offer(cluster, first, second)
        assert.strictEqual((yield* cluster.GetCluster()).credential?.state, "rotating")
        yield* report(cluster, first)
        yield* report(cluster, second)
        yield* report(cluster, first)
        yield* TestClock.adjust("30 seconds")
        assert.deepStrictEqual(yield* Fiber.join(parked), { _tag: "Unchanged", revision: known })
        yield* pull(cluster, first, 0)
        yield* TestClock.adjust("30 seconds")
        yield* refused(report(cluster, first))
        yield* refused(pull(cluster, first, 0))
        assert.deepInclude((yield* cluster.GetCluster()).credential, { state: "valid", sinceMs: 0 })
        const restarted = yield* (yield* runner)(clusterId)
        yield* report(restarted, second)
        yield* refused(report(restarted, first))
      })
    )
  )

  it.effect("INV-CLU-10 leaves the old one when the new one was not used in its time", () =>
    test(
      Effect.gen(function* () {
        const cluster = yield* joined
        yield* offer(cluster, first, second)
        yield* TestClock.adjust("1 hour")
        yield* refused(report(cluster, second))
        yield* report(cluster, first)
        yield* offer(cluster, first, third)
        yield* report(cluster, third)
        yield* TestClock.adjust("1 minute")
        yield* refused(report(cluster, first))
      })
    )
  )

  it.effect("is asked of the agent at its pull, at once where it waits, until it has happened", () =>
    test(
      Effect.gen(function* () {
        const cluster = yield* joined
        const parked = yield* park(cluster, first)
        yield* cluster.RotateAgentCredential(request("rotate"))
        assert.deepStrictEqual(yield* Fiber.join(parked), {
          _tag: "Unchanged",
          revision: known,
          rotate: true
        })
        const again = yield* park(cluster, first)
        yield* TestClock.adjust("30 seconds")
        assert.isTrue((yield* Fiber.join(again)).rotate)
        yield* offer(cluster, first, second)
        assert.isUndefined((yield* pull(cluster, second, 0)).rotate)
      })
    )
  )

  it.effect("is for the agent alone", () =>
    test(
      Effect.gen(function* () {
        const cluster = yield* joined
        yield* refused(offer(cluster, second, second))
        yield* refused(offer(cluster, joinTokenHash, second))
      })
    )
  )
})

describe("revoking", () => {
  it.effect(
    "INV-CLU-12 ends a parked pull at once, takes back what is offered and what could join, until the next token",
    () =>
      test(
        Effect.gen(function* () {
          const cluster = yield* joined
          yield* offer(cluster, first, second)
          yield* cluster.IssueJoinToken({ ...request("again"), joinTokenHash: "d".repeat(64) })
          const parked = yield* park(cluster, first)
          yield* cluster.RevokeAgentCredential(request("revoke"))
          yield* refused(Fiber.join(parked))
          yield* refused(report(cluster, first))
          yield* refused(report(cluster, second))
          yield* refused(join(cluster, first))
          yield* refused(cluster.Join({ joinTokenHash: "d".repeat(64), credentialHash: third }))
          assert.strictEqual((yield* cluster.GetCluster()).credential?.state, "none")
          const none = yield* Effect.flip(cluster.RotateAgentCredential(request("rotate")))
          assert.strictEqual(none._tag, "InvalidInput")
          yield* cluster.IssueJoinToken({ ...request("anew"), joinTokenHash: "c".repeat(64) })
          yield* cluster.Join({ joinTokenHash: "c".repeat(64), credentialHash: third })
          yield* report(cluster, third)
        })
      )
  )
})

describe("a release that is not served", () => {
  const agent = { version: "9.0.0", format: 1 }

  it.effect("hears so after it was known, changes nothing, and is shown to operators", () =>
    test(
      Effect.gen(function* () {
        const cluster = yield* open
        const hash = { credentialHash: first }
        yield* refused(cluster.Join({ joinTokenHash: "e".repeat(64), ...hash, agent }))
        const joining = yield* Effect.flip(cluster.Join({ joinTokenHash, ...hash, agent }))
        assert.strictEqual(joining._tag, "AgentNotServed")
        yield* join(cluster, first)
        assert.isNull((yield* cluster.GetCluster()).agent ?? null)
        const pulling = yield* Effect.flip(
          cluster.AwaitDesired({ agentTokenHash: first, known, waitMs: 0, allowDelta: true, agent })
        )
        assert.deepInclude(pulling, { _tag: "AgentNotServed", version: "9.0.0" })
        assert.deepStrictEqual((yield* cluster.GetCluster()).agent, { ...agent, standing: "tooNew" })
        yield* pull(cluster, first, 0)
        assert.deepStrictEqual((yield* cluster.GetCluster()).agent, { ...unsaid, standing: "current" })
      })
    )
  )
})
