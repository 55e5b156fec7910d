import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted } from "effect"
import { Entity, ShardingConfig } from "effect/cluster"
import { TestClock } from "effect/testing"
import { appHashInput, documentHashInput } from "@starform/domain/desired/DocumentHash"
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import * as Revision from "@starform/domain/ids/Revision"
import { Slug, VariableName } from "@starform/domain/ids/Slug"
import type { ObservedApp } from "@starform/domain/observed/ObservedApp"
import { render } from "@starform/starbase/api/DesiredBody"
import * as ResidentClusters from "@starform/starbase/entities/ResidentClusters"
import * as ClusterBehavior from "@starform/starbase/entities/cluster/ClusterBehavior"
import { ClusterEntity, type DesiredAnswer } from "@starform/starbase/entities/cluster/ClusterEntity"
import { Outbox } from "@starform/starbase/journal/Outbox"
import { Vault } from "@starform/starbase/security/Vault"
import * as GatedJournal from "../GatedJournal.ts"
import { type Message, mutationConformance } from "../Mutation.conformance.ts"
import * as Specimens from "../Specimens.ts"

const runner = Entity.makeTestClient(
  ClusterEntity,
  ClusterBehavior.layerNoDeps.pipe(Layer.provide(ResidentClusters.layer))
)

type Client = Effect.Success<ReturnType<Effect.Success<typeof runner>>>

const { request } = Specimens
const clusterId = Specimens.clusterId(1)
const agentTokenHash = "a".repeat(64)
const registration = { clusterId, name: Slug.make("local"), region: "here", agentTokenHash }
const epoch = "0a0b0c0d"

const registered = (cluster: Client) =>
  cluster.RegisterCluster({ ...request("register"), registration, epoch })

const put = (cluster: Client, n: number, ordinal: number) =>
  cluster.PutDesired({ ...request(`put-${n}-${ordinal}`), entry: Specimens.desiredEntry(n, ordinal) })

const remove = (cluster: Client, n: number, ordinal: number) =>
  cluster.RemoveDesired({ ...request(`remove-${n}-${ordinal}`), appId: Specimens.appId(n), ordinal })

const filled = (cluster: Client) => Effect.andThen(registered(cluster), put(cluster, 1, 1))

const emptied = (cluster: Client) => Effect.andThen(filled(cluster), remove(cluster, 1, 2))

const renewal = "1a1b1c1d"

const renewed = (cluster: Client) =>
  Effect.andThen(emptied(cluster), cluster.RenewEpoch({ ...request("renew"), epoch: renewal }))

const messages: ReadonlyArray<Message<Client>> = [
  {
    name: "RegisterCluster",
    prepare: () => Effect.void,
    send: (cluster, id) => cluster.RegisterCluster({ ...request(id), registration, epoch }),
    sendOther: (cluster, id) => cluster.RegisterCluster({ ...request(id), registration, epoch: "ffffffff" })
  },
  {
    name: "PutDesired",
    prepare: filled,
    send: (cluster, id) => cluster.PutDesired({ ...request(id), entry: Specimens.desiredEntry(1, 2) }),
    sendOther: (cluster, id) => cluster.PutDesired({ ...request(id), entry: Specimens.desiredEntry(1, 3) })
  },
  {
    name: "RemoveDesired",
    prepare: filled,
    send: (cluster, id) => cluster.RemoveDesired({ ...request(id), appId: Specimens.appId(1), ordinal: 2 }),
    sendOther: (cluster, id) =>
      cluster.RemoveDesired({ ...request(id), appId: Specimens.appId(1), ordinal: 3 })
  },
  {
    name: "ConfirmMassPrune",
    prepare: emptied,
    send: (cluster, id) => cluster.ConfirmMassPrune(request(id)),
    sendOther: (cluster, id) =>
      cluster.ConfirmMassPrune({ ...request(id), principal: { _tag: "System", part: "test" } })
  },
  {
    name: "RenewEpoch",
    prepare: filled,
    send: (cluster, id) => cluster.RenewEpoch({ ...request(id), epoch: renewal }),
    sendOther: (cluster, id) =>
      cluster.RenewEpoch({ ...request(id), epoch: renewal, principal: { _tag: "System", part: "test" } })
  },
  {
    name: "ConfirmEpoch",
    prepare: renewed,
    send: (cluster, id) => cluster.ConfirmEpoch({ ...request(id), epoch: renewal }),
    sendOther: (cluster, id) => cluster.ConfirmEpoch({ ...request(id), epoch })
  },
  {
    name: "IssueJoinToken",
    prepare: registered,
    send: (cluster, id) => cluster.IssueJoinToken({ ...request(id), joinTokenHash: "c".repeat(64) }),
    sendOther: (cluster, id) => cluster.IssueJoinToken({ ...request(id), joinTokenHash: "d".repeat(64) })
  },
  {
    name: "RotateAgentCredential",
    prepare: registered,
    send: (cluster, id) => cluster.RotateAgentCredential(request(id)),
    sendOther: (cluster, id) =>
      cluster.RotateAgentCredential({ ...request(id), principal: { _tag: "System", part: "test" } })
  },
  {
    name: "RevokeAgentCredential",
    prepare: registered,
    send: (cluster, id) => cluster.RevokeAgentCredential(request(id)),
    sendOther: (cluster, id) =>
      cluster.RevokeAgentCredential({ ...request(id), principal: { _tag: "System", part: "test" } })
  }
]

mutationConformance(
  { type: "Cluster", runner, state: (cluster) => cluster.GetClusterState() },
  clusterId,
  messages
)

const services = Layer.merge(GatedJournal.layer, ShardingConfig.layer())

const open = Effect.flatMap(runner, (client) => client(clusterId))

const pull = (
  cluster: Client,
  known: Revision.Revision | null,
  fields: Partial<{ waitMs: number; hash: string }> = {}
) =>
  cluster.AwaitDesired({
    agentTokenHash: fields.hash ?? agentTokenHash,
    known,
    waitMs: fields.waitMs ?? 30_000,
    allowDelta: true
  })

const report = (cluster: Client, ...apps: ReadonlyArray<ObservedApp>) =>
  cluster.Report({
    agentTokenHash,
    report: { revision: null, apps, complete: false, agentVersion: "test" }
  })

describe("PutDesired", () => {
  it.effect("INV-CLU-2 is Superseded below the fence, also when only a tombstone or nothing is left", () =>
    Effect.gen(function* () {
      const cluster = yield* open
      yield* registered(cluster)
      yield* put(cluster, 1, 5)
      const late = put(cluster, 1, 4)
      assert.deepInclude(yield* Effect.flip(late), { _tag: "Superseded", ordinal: 4, currentOrdinal: 5 })
      yield* remove(cluster, 1, 6)
      assert.strictEqual((yield* Effect.flip(late))._tag, "Superseded")
      yield* report(cluster, Specimens.observed({ appId: Specimens.appId(1), ordinal: 6 }, "absent"))
      assert.strictEqual((yield* cluster.GetCluster()).tombstones, 0)
      assert.strictEqual((yield* Effect.flip(late))._tag, "Superseded")
      yield* put(cluster, 1, 7)
    }).pipe(Effect.scoped, Effect.provide(services))
  )
})

describe("Report", () => {
  it.effect("tells the app of a transition once, and of nothing that is late or unchanged", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const cluster = yield* open
      yield* filled(cluster)
      const available = Specimens.observed(Specimens.desiredEntry(1, 1), "available")
      yield* report(cluster, { ...available, ordinal: 0 })
      yield* report(cluster, { ...available, deployId: Specimens.deployId(99) })
      assert.deepStrictEqual(yield* outbox.due(0, 10), [])
      yield* report(cluster, available, available)
      yield* report(cluster, { ...available, output: ["another line"] })
      const [row, ...others] = yield* outbox.due(0, 10)
      assert.deepStrictEqual(row?.effect, {
        _tag: "TellObserved",
        appId: Specimens.appId(1),
        observed: available
      })
      assert.deepStrictEqual(others, [])
      yield* outbox.done([row!])
      assert.deepStrictEqual(yield* outbox.due(0, 10), [])
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("keeps a tombstone until the absence of its very ordinal is reported", () =>
    Effect.gen(function* () {
      const cluster = yield* open
      yield* emptied(cluster)
      const appId = Specimens.appId(1)
      yield* report(cluster)
      yield* report(cluster, Specimens.observed({ appId, ordinal: 1 }, "absent"))
      yield* report(cluster, Specimens.observed({ appId, ordinal: 2 }, "progressing"))
      assert.strictEqual((yield* cluster.GetCluster()).tombstones, 1)
      yield* report(cluster, Specimens.observed({ appId, ordinal: 2 }, "absent"))
      assert.strictEqual((yield* cluster.GetCluster()).tombstones, 0)
    }).pipe(Effect.scoped, Effect.provide(services))
  )
})

describe("AwaitDesired", () => {
  it.effect("answers the whole at once to an agent that holds nothing", () =>
    Effect.gen(function* () {
      const cluster = yield* open
      yield* filled(cluster)
      const answer = yield* pull(cluster, null)
      assert.strictEqual(answer._tag, "Full")
      assert.strictEqual(answer.revision, `${epoch}-1`)
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("answers a parked pull with the change as soon as there is one, without holding it up", () =>
    Effect.gen(function* () {
      const cluster = yield* open
      yield* filled(cluster)
      const base = Revision.format({ epoch, n: 1 })
      const parked = yield* Effect.forkChild(pull(cluster, base), { startImmediately: true })
      yield* put(cluster, 2, 1)
      const answer = yield* Fiber.join(parked)
      assert.deepInclude(answer, {
        _tag: "Delta",
        base,
        revision: Revision.format({ epoch, n: 2 }),
        changed: [Specimens.appId(2)]
      })
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("answers a parked pull with the confirmation of a mass prune that it holds back", () =>
    Effect.gen(function* () {
      const cluster = yield* open
      yield* emptied(cluster)
      const parked = yield* Effect.forkChild(pull(cluster, Revision.format({ epoch, n: 2 })), {
        startImmediately: true
      })
      yield* cluster.ConfirmMassPrune(request("confirm"))
      const answer = yield* Fiber.join(parked)
      assert.isTrue(answer._tag === "Delta" && answer.massPruneConfirmed)
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("answers Unchanged after its wait", () =>
    Effect.gen(function* () {
      const cluster = yield* open
      yield* filled(cluster)
      const known = Revision.format({ epoch, n: 1 })
      const parked = yield* Effect.forkChild(pull(cluster, known), { startImmediately: true })
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* Fiber.join(parked), { _tag: "Unchanged", revision: known })
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("INV-CLU-6 refuses another credential, and ends a parked pull when its own is replaced", () =>
    Effect.gen(function* () {
      const cluster = yield* open
      const unknown = pull(cluster, null, { hash: "f".repeat(64) })
      assert.strictEqual((yield* Effect.flip(unknown))._tag, "Unauthenticated")
      yield* filled(cluster)
      assert.strictEqual((yield* Effect.flip(unknown))._tag, "Unauthenticated")
      const parked = yield* Effect.forkChild(pull(cluster, Revision.format({ epoch, n: 1 })), {
        startImmediately: true
      })
      yield* cluster.RegisterCluster({
        ...request("revoke"),
        epoch,
        registration: { ...registration, agentTokenHash: "b".repeat(64) }
      })
      assert.strictEqual((yield* Effect.flip(Fiber.join(parked)))._tag, "Unauthenticated")
      assert.strictEqual((yield* Effect.flip(report(cluster)))._tag, "Unauthenticated")
      assert.strictEqual((yield* pull(cluster, null, { hash: "b".repeat(64) }))._tag, "Full")
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("INV-CLU-7 reads the journal again when the agent knows a revision above its own", () =>
    Effect.gen(function* () {
      const [stale, fresh] = [yield* open, yield* open]
      yield* filled(stale)
      yield* put(fresh, 2, 1)
      assert.strictEqual((yield* stale.GetCluster()).revision, `${epoch}-1`)
      const known = Revision.format({ epoch, n: 2 })
      const parked = yield* Effect.forkChild(pull(stale, known), { startImmediately: true })
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* Fiber.join(parked), { _tag: "Unchanged", revision: known })
    }).pipe(Effect.scoped, Effect.provide(services))
  )
})

/** The port to the vault, so that what an agent reads can be told. */
const vault = Vault.of({
  seal: () => Effect.succeed({ keyId: "k1", sealed: "word" }),
  open: (_, { sealed }) => Effect.succeed(Redacted.make(`opened ${sealed}`))
})

const rendered = (answer: DesiredAnswer) => {
  if (answer._tag === "Unchanged") throw new Error("nothing to render")
  return render(vault, clusterId, answer)
}

describe("an epoch", () => {
  const pruned = (answer: DesiredAnswer) =>
    answer._tag === "Unchanged" ? [] : answer.tombstones.map(({ appId }) => appId)

  it.effect("INV-CLU-8 is renewed once for an agent that holds what was never given here", () =>
    Effect.gen(function* () {
      const cluster = yield* open
      yield* emptied(cluster)
      assert.isTrue((yield* cluster.GetCluster()).epochConfirmed)
      const lost = Revision.format({ epoch, n: 7 })
      const answer = yield* pull(cluster, lost)
      assert.isTrue(answer._tag === "Full" && !answer.epochConfirmed)
      assert.deepStrictEqual(pruned(answer), [Specimens.appId(1)])
      assert.notStrictEqual(Revision.parse(answer.revision).epoch, epoch)
      assert.strictEqual((yield* pull(cluster, lost)).revision, answer.revision)
      const ahead = Revision.format({ epoch: Revision.parse(answer.revision).epoch, n: 99 })
      assert.strictEqual((yield* pull(cluster, ahead)).revision, answer.revision)
      const elsewhere = Revision.format({ epoch: "ffffffff", n: 1 })
      assert.strictEqual((yield* pull(cluster, elsewhere)).revision, answer.revision)
      const restarted = yield* open
      assert.strictEqual((yield* pull(restarted, lost)).revision, answer.revision)
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("INV-CLU-8 is renewed for an agent of an epoch that is not of this history", () =>
    Effect.gen(function* () {
      const cluster = yield* open
      yield* filled(cluster)
      const answer = yield* pull(cluster, Revision.format({ epoch: "ffffffff", n: 1 }))
      assert.isTrue(answer._tag === "Full" && !answer.epochConfirmed)
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("INV-CLU-8 is not renewed for whoever has not the agent's credential", () =>
    Effect.gen(function* () {
      const cluster = yield* open
      yield* filled(cluster)
      const stranger = pull(cluster, Revision.format({ epoch, n: 7 }), { hash: "f".repeat(64) })
      assert.strictEqual((yield* Effect.flip(stranger))._tag, "Unauthenticated")
      assert.strictEqual((yield* cluster.GetCluster()).revision, `${epoch}-1`)
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("ends a parked pull with the whole when it is renewed, and with its confirmation", () =>
    Effect.gen(function* () {
      const cluster = yield* open
      yield* emptied(cluster)
      const parked = yield* Effect.forkChild(pull(cluster, Revision.format({ epoch, n: 2 })), {
        startImmediately: true
      })
      yield* cluster.RenewEpoch({ ...request("renew"), epoch: renewal })
      const answer = yield* Fiber.join(parked)
      assert.isTrue(answer._tag === "Full" && !answer.epochConfirmed)
      const waiting = yield* Effect.forkChild(pull(cluster, answer.revision), { startImmediately: true })
      yield* cluster.ConfirmEpoch({ ...request("confirm"), epoch: renewal })
      const confirmed = yield* Fiber.join(waiting)
      assert.isTrue(confirmed._tag === "Delta" && confirmed.epochConfirmed)
      assert.deepStrictEqual(pruned(confirmed), [Specimens.appId(1)])
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("INV-CLU-7 that another owner renewed is read from the journal when the agent names it", () =>
    Effect.gen(function* () {
      const [stale, fresh] = [yield* open, yield* open]
      yield* filled(stale)
      yield* fresh.RenewEpoch({ ...request("renew"), epoch: renewal })
      const known = Revision.format({ epoch: renewal, n: 1 })
      const parked = yield* Effect.forkChild(pull(stale, known), { startImmediately: true })
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(yield* Fiber.join(parked), { _tag: "Unchanged", revision: known })
    }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("is confirmed in the body of a pull when it is in the cluster", () =>
    Effect.gen(function* () {
      const cluster = yield* open
      yield* renewed(cluster)
      assert.isFalse((yield* rendered(yield* pull(cluster, null))).epochConfirmed)
      yield* cluster.ConfirmEpoch({ ...request("confirm"), epoch: renewal })
      assert.isTrue((yield* rendered(yield* pull(cluster, null))).epochConfirmed)
    }).pipe(Effect.scoped, Effect.provide(services))
  )
})

describe("render", () => {
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")

  it.effect("INV-CLU-4 gives a delta the hash of the document that an agent has after it", () =>
    Effect.gen(function* () {
      const cluster = yield* open
      yield* filled(cluster)
      yield* put(cluster, 3, 1)
      const base = yield* rendered(yield* pull(cluster, null))
      const variable = {
        key: VariableName.make("TOKEN"),
        value: { keyId: "k1", sealed: "word" },
        secret: true
      }
      const entry = Specimens.desiredEntry(2, 1, { variables: [variable] })
      yield* cluster.PutDesired({ ...request("put-secret"), entry })
      yield* remove(cluster, 1, 2)
      const delta = yield* rendered(yield* pull(cluster, base.revision))
      const full = yield* rendered(yield* pull(cluster, null))
      assert.isTrue(base.kind === "full" && delta.kind === "delta" && full.kind === "full")
      if (base.kind !== "full" || delta.kind !== "delta" || full.kind !== "full") return
      const held = new Map<string, DesiredApp>(base.apps.map((app) => [app.appId, app]))
      for (const { appId } of delta.tombstones) held.delete(appId)
      for (const app of delta.changed) held.set(app.appId, app)
      assert.deepStrictEqual(
        [...held.values()].sort((a, b) => (a.appId < b.appId ? -1 : 1)),
        full.apps
      )
      const hashes = [...held].map(([appId, app]) => [appId, sha256(appHashInput(app))] as const)
      const hash = sha256(documentHashInput(hashes, delta.tombstones, delta.clusterConfig))
      assert.strictEqual(delta.hash, `sha256:${hash}`)
      assert.strictEqual(full.hash, delta.hash)
      assert.strictEqual(held.get(Specimens.appId(2))?.variables[0]?.value, "opened word")
    }).pipe(Effect.scoped, Effect.provide(services))
  )
})
