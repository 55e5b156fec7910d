/** The Cluster entity at work: pure decisions over the journal, and pulls answered from memory. */
import { NotFound, Unauthenticated } from "@starform/domain/errors/RequestErrors"
import { ClusterId } from "@starform/domain/ids/Ids"
import type { Revision } from "@starform/domain/ids/Revision"
import type { Principal } from "@starform/domain/model/Principal"
import * as Entity from "effect/cluster/Entity"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import { freshEpoch } from "../../desired/FreshEpoch.ts"
import { measured } from "../../metrics/StarbaseMetrics.ts"
import * as JournaledEntity from "../../journal/JournaledEntity.ts"
import { rejectedOnlyOnNewest } from "../NewestState.ts"
import * as EntityActivity from "../EntityActivity.ts"
import * as Decisions from "./ClusterDecisions.ts"
import { ResidentClusters } from "../ResidentClusters.ts"
import { ClusterEntity } from "./ClusterEntity.ts"
import { model } from "./ClusterModel.ts"
import { type ClusterEvent, type ClusterState, revisionOf } from "./ClusterState.ts"
import { answer, isNewer, isUnheardOf } from "./DesiredAnswer.ts"

interface Command {
  readonly requestId: string
  readonly principal: Principal
}

interface Renewal extends Command {
  readonly epoch: string
}

const make = Effect.gen(function* () {
  const { entityId } = yield* Entity.CurrentAddress
  const cluster = yield* JournaledEntity.open(model, entityId)
  const activity = yield* EntityActivity.open(model.type, entityId, cluster.sequence)
  /** Memory only: who asked last, and what it holds (design §4: not journaled). */
  let agent: { readonly revision: Revision | null; readonly seenAtMs: number } | undefined

  const decide = <Payload, E>(
    decision: (
      state: ClusterState,
      payload: Payload & Command
    ) => Result.Result<JournaledEntity.Decision<ClusterState, ClusterEvent, void>, E>
  ) =>
    Effect.fnUntraced(function* ({
      payload,
      tag
    }: {
      readonly payload: Payload & Command
      readonly tag: string
    }) {
      const { requestId, principal } = payload
      return yield* cluster
        .execute({
          requestId,
          principal,
          payload,
          reply: Schema.Void,
          decide: (state) => decision(state, payload)
        })
        .pipe(rejectedOnlyOnNewest(cluster), measured("Cluster", tag))
    })

  const isPermitted = (state: ClusterState, agentTokenHash: string) =>
    state.registration !== null && state.registration.agentTokenHash === agentTokenHash

  const residents = yield* ResidentClusters
  const clock = yield* Clock.Clock
  yield* residents.enter(entityId, {
    isUpToDate: (agentTokenHash, known) => {
      const state = cluster.peek()
      if (state === undefined || !isPermitted(state, agentTokenHash) || isNewer(state, known)) return false
      agent = { revision: known, seenAtMs: clock.currentTimeMillisUnsafe() }
      return true
    }
  })

  const renewEpoch = Effect.fnUntraced(
    function* ({ payload }: { readonly payload: Renewal }) {
      const { requestId, principal, epoch } = payload
      yield* cluster.execute({
        requestId,
        principal,
        payload: { requestId, principal },
        reply: Schema.Void,
        decide: (state) => Decisions.renewEpoch(state, { epoch })
      })
    },
    measured("Cluster", "RenewEpoch")
  )

  /** INV-CLU-6. Fails for a cluster that nobody registered in the same way: its existence is nobody's business. */
  const checkAgent = (state: ClusterState, agentTokenHash: string) =>
    isPermitted(state, agentTokenHash) ? Effect.succeed(state) : Effect.fail(new Unauthenticated({}))

  const sawAgent = (revision: Revision | null) =>
    Effect.map(Clock.currentTimeMillis, (seenAtMs) => {
      agent = { revision, seenAtMs }
    })

  /** INV-CLU-7, INV-CLU-8. The journal may know what this memory does not; what neither knows is another history's. */
  const settleHistory = Effect.fnUntraced(function* (agentTokenHash: string, known: Revision) {
    const now = yield* cluster.reload
    if (!now.epochConfirmed || !isUnheardOf(now, known)) return
    const epoch = yield* freshEpoch
    yield* cluster.observe({
      origin: "restored",
      principal: { _tag: "Agent", clusterId: ClusterId.make(entityId) },
      decide: (state) => Result.succeed(Decisions.renewForAgent(state, { agentTokenHash, known, epoch }))
    })
    yield* Effect.logWarning(
      `Cluster ${entityId}: its agent holds ${known}, which was never given here; see docs/runbooks/restored-database.md`
    )
  })

  const awaitDesired = Effect.fnUntraced(function* (pull: {
    readonly agentTokenHash: string
    readonly known: Revision | null
    readonly waitMs: number
    readonly allowDelta: boolean
  }) {
    const first = yield* Effect.flatMap(cluster.state, (state) => checkAgent(state, pull.agentTokenHash))
    yield* sawAgent(pull.known)
    if (pull.known !== null && isUnheardOf(first, pull.known)) {
      yield* settleHistory(pull.agentTokenHash, pull.known)
    }
    const state = yield* cluster.awaitState(
      (now) => isNewer(now, pull.known) || !isPermitted(now, pull.agentTokenHash),
      Duration.millis(pull.waitMs)
    )
    yield* checkAgent(state, pull.agentTokenHash)
    return answer(state, pull.known, pull.allowDelta)
  })

  const handlers = ClusterEntity.of({
    RegisterCluster: decide(Decisions.register),
    PutDesired: decide(Decisions.putDesired),
    RemoveDesired: decide(Decisions.removeDesired),
    ConfirmMassPrune: decide((state) => Result.succeed(Decisions.confirmMassPrune(state))),
    RenewEpoch: renewEpoch,
    ConfirmEpoch: decide(Decisions.confirmEpoch),

    Report: Effect.fnUntraced(
      function* ({ payload: { agentTokenHash, report } }) {
        yield* Effect.flatMap(cluster.state, (state) => checkAgent(state, agentTokenHash))
        yield* sawAgent(report.revision)
        yield* cluster.observe({
          origin: "report",
          principal: { _tag: "Agent", clusterId: ClusterId.make(entityId) },
          decide: (state) => Result.succeed(Decisions.report(state, report))
        })
      },
      measured("Cluster", "Report")
    ),

    // Thousands of agents may wait; none may hold up a write. Each sees whole states only.
    AwaitDesired: ({ payload }) => awaitDesired(payload).pipe(Rpc.fork),

    GetCluster: () =>
      cluster.state.pipe(
        Effect.filterOrFail(
          (state) => state.registration !== null,
          () => new NotFound({ kind: "cluster", name: entityId })
        ),
        Effect.map((state) => ({
          id: ClusterId.make(entityId),
          name: state.registration!.name,
          region: state.registration!.region,
          revision: revisionOf(state),
          epochConfirmed: state.epochConfirmed,
          apps: Object.keys(state.entries).length,
          tombstones: Object.keys(state.tombstones).length,
          agentRevision: agent?.revision ?? null,
          agentSeenAtMs: agent?.seenAtMs ?? null
        })),
        Rpc.fork
      ),

    GetClusterState: () => cluster.state.pipe(Rpc.fork),

    // Tells what waits and what works, so it must not wait itself.
    InspectActivity: () => activity.look.pipe(Rpc.fork),

    Passivate: () => Effect.map(cluster.reload, () => cluster.sequence() ?? 0)
  })
  return activity.watch(handlers)
})

/** Needs the journal and a cluster. Stays in memory for as long as its agent asks at least every 5 minutes. */
export const layerNoDeps = ClusterEntity.toLayer(make, { maxIdleTime: "5 minutes" })
