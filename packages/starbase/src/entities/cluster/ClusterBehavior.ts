/** The Cluster entity at work: pure decisions over the journal, and pulls answered from memory. */
import { NotFound, Unauthenticated } from "@starform/domain/errors/RequestErrors"
import { ClusterId } from "@starform/domain/ids/Ids"
import type { Revision } from "@starform/domain/ids/Revision"
import type { Cluster as ClusterModel } from "@starform/domain/protocol/ClusterRpcs"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import { freshEpoch } from "../../desired/FreshEpoch.ts"
import type { Decision } from "../../journal/JournaledEntity.ts"
import { measured } from "../../metrics/StarbaseMetrics.ts"
import * as EntityBehavior from "../EntityBehavior.ts"
import { ResidentClusters } from "../ResidentClusters.ts"
import * as Decisions from "./ClusterDecisions.ts"
import { ClusterEntity } from "./ClusterEntity.ts"
import { model } from "./ClusterModel.ts"
import { type ClusterEvent, type ClusterState, revisionOf } from "./ClusterState.ts"
import { answer, isNewer, isUnheardOf } from "./DesiredAnswer.ts"

interface Cluster extends EntityBehavior.Incarnation<ClusterState, ClusterEvent> {
  /** Memory only: who asked last, and what it holds (design §4: not journaled). */
  agent: { readonly revision: Revision | null; readonly seenAtMs: number } | undefined
}

const isPermitted = (state: ClusterState, agentTokenHash: string) =>
  state.registration !== null && state.registration.agentTokenHash === agentTokenHash

const open = Effect.gen(function* () {
  const residents = yield* ResidentClusters
  const clock = yield* Clock.Clock
  const cluster: Cluster = { ...(yield* EntityBehavior.open(model)), agent: undefined }
  yield* residents.enter(cluster.id, {
    isUpToDate: (agentTokenHash, known) => {
      const state = cluster.journaled.peek()
      if (state === undefined || !isPermitted(state, agentTokenHash)) return false
      const revision = revisionOf(state)
      if (known !== revision) return false
      cluster.agent = { revision, seenAtMs: clock.currentTimeMillisUnsafe() }
      return true
    }
  })
  return cluster
})

const decide = <Payload, E>(
  decision: (
    state: ClusterState,
    payload: Payload & EntityBehavior.Command
  ) => Result.Result<Decision<ClusterState, ClusterEvent, void>, E>
) => EntityBehavior.decide<ClusterState, ClusterEvent, Payload, void, E>("Cluster", Schema.Void, decision)

/** INV-CLU-6. Fails for a cluster that nobody registered in the same way: its existence is nobody's business. */
const checkAgent = (state: ClusterState, agentTokenHash: string) =>
  isPermitted(state, agentTokenHash) ? Effect.succeed(state) : Effect.fail(new Unauthenticated({}))

const sawAgent = (cluster: Cluster, revision: Revision | null) =>
  Effect.map(Clock.currentTimeMillis, (seenAtMs) => {
    cluster.agent = { revision, seenAtMs }
  })

const agentOf = ({ id }: Cluster) => ({ _tag: "Agent" as const, clusterId: ClusterId.make(id) })

/** INV-CLU-7, INV-CLU-8. The journal may know what this memory does not; what neither knows is another history's. */
const settleHistory = Effect.fnUntraced(function* (
  cluster: Cluster,
  agentTokenHash: string,
  known: Revision
) {
  const now = yield* cluster.journaled.reload
  if (!now.epochConfirmed || !isUnheardOf(now, known)) return
  const epoch = yield* freshEpoch
  yield* cluster.journaled.observe({
    origin: "restored",
    principal: agentOf(cluster),
    decide: (state) => Result.succeed(Decisions.renewForAgent(state, { agentTokenHash, known, epoch }))
  })
  yield* Effect.logWarning(
    `Cluster ${cluster.id}: its agent holds ${known}, which was never given here; see docs/runbooks/restored-database.md`
  )
})

const awaitDesired = Effect.fnUntraced(function* (
  cluster: Cluster,
  pull: {
    readonly agentTokenHash: string
    readonly known: Revision | null
    readonly waitMs: number
    readonly allowDelta: boolean
  }
) {
  const first = yield* Effect.flatMap(cluster.journaled.state, (state) =>
    checkAgent(state, pull.agentTokenHash)
  )
  yield* sawAgent(cluster, pull.known)
  if (pull.known !== null && isUnheardOf(first, pull.known)) {
    yield* settleHistory(cluster, pull.agentTokenHash, pull.known)
  }
  const state = yield* cluster.journaled.awaitState(
    (now) => isNewer(now, pull.known) || !isPermitted(now, pull.agentTokenHash),
    Duration.millis(pull.waitMs)
  )
  yield* checkAgent(state, pull.agentTokenHash)
  return answer(state, pull.known, pull.allowDelta)
})

/** `null` for one that nobody registered. */
const publicCluster = ({ id, agent }: Cluster, state: ClusterState): ClusterModel | null =>
  state.registration === null
    ? null
    : {
        id: ClusterId.make(id),
        name: state.registration.name,
        region: state.registration.region,
        revision: revisionOf(state),
        epochConfirmed: state.epochConfirmed,
        apps: Object.keys(state.entries).length,
        tombstones: Object.keys(state.tombstones).length,
        agentRevision: agent?.revision ?? null,
        agentSeenAtMs: agent?.seenAtMs ?? null
      }

const handlers = EntityBehavior.handlersOf(ClusterEntity)<Cluster>()({
  RegisterCluster: decide(Decisions.register),
  PutDesired: decide(Decisions.putDesired),
  RemoveDesired: decide(Decisions.removeDesired),
  ConfirmMassPrune: decide((state) => Result.succeed(Decisions.confirmMassPrune(state))),
  ConfirmEpoch: decide(Decisions.confirmEpoch),

  // The epoch is no part of what makes two requests the same.
  RenewEpoch: (cluster, { payload: { requestId, principal, epoch } }) =>
    cluster.journaled
      .execute({
        requestId,
        principal,
        payload: { requestId, principal },
        reply: Schema.Void,
        decide: (state) => Decisions.renewEpoch(state, { epoch })
      })
      .pipe(measured("Cluster", "RenewEpoch")),

  Report: (cluster, { payload: { agentTokenHash, report } }) =>
    cluster.journaled.state.pipe(
      Effect.flatMap((state) => checkAgent(state, agentTokenHash)),
      Effect.andThen(sawAgent(cluster, report.revision)),
      Effect.andThen(
        cluster.journaled.observe({
          origin: "report",
          principal: agentOf(cluster),
          decide: (state) => Result.succeed(Decisions.report(state, report))
        })
      ),
      measured("Cluster", "Report")
    ),

  // Thousands of agents may wait; none may hold up a write. Each sees whole states only.
  AwaitDesired: (cluster, { payload }) => awaitDesired(cluster, payload).pipe(Rpc.fork),

  GetCluster: (cluster) =>
    cluster.journaled.state.pipe(
      Effect.flatMap((state) => {
        const shown = publicCluster(cluster, state)
        return shown === null
          ? Effect.fail(new NotFound({ kind: "cluster", name: cluster.id }))
          : Effect.succeed(shown)
      }),
      Rpc.fork
    ),

  GetClusterState: ({ journaled }) => journaled.state.pipe(Rpc.fork),

  ...EntityBehavior.operators
})

/** Needs the journal and a cluster. Stays in memory for as long as its agent asks at least every 5 minutes. */
export const layerNoDeps = ClusterEntity.toLayer(Effect.map(open, handlers), { maxIdleTime: "5 minutes" })
