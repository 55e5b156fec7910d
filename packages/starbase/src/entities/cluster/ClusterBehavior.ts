/** The Cluster entity at work: pure decisions over the journal, and pulls answered from memory. */
import { AgentNotServed, NotFound, Unauthenticated } from "@starform/domain/errors/RequestErrors"
import { ClusterId } from "@starform/domain/ids/Ids"
import type { Revision } from "@starform/domain/ids/Revision"
import type { Cluster as ClusterModel } from "@starform/domain/protocol/ClusterRpcs"
import {
  type AgentRelease,
  isServed,
  servedText,
  standingOf,
  unsaid
} from "@starform/domain/protocol/VersionSkew"
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
import * as Credential from "./AgentCredential.ts"
import * as Decisions from "./ClusterDecisions.ts"
import { ClusterEntity } from "./ClusterEntity.ts"
import { model } from "./ClusterModel.ts"
import { type ClusterEvent, type ClusterState, revisionOf } from "./ClusterState.ts"
import { answer, isNewer, isUnheardOf } from "./DesiredAnswer.ts"

interface Cluster extends EntityBehavior.Incarnation<ClusterState, ClusterEvent> {
  /** Memory only: who asked last, what it is and what it holds (design §4: not journaled). */
  agent:
    | { readonly release: AgentRelease; readonly revision: Revision | null; readonly seenAtMs: number }
    | undefined
}

/** What every request of the agent says of it. */
interface Request {
  readonly agentTokenHash: string
  readonly agent?: AgentRelease
}

const open = Effect.gen(function* () {
  const residents = yield* ResidentClusters
  const clock = yield* Clock.Clock
  const cluster: Cluster = { ...(yield* EntityBehavior.open(model)), agent: undefined }
  yield* residents.enter(cluster.id, {
    isUpToDate: (agentTokenHash, known) => {
      const state = cluster.journaled.peek()
      // What an offered credential or a rotation changes is for the entity itself to do.
      const isPresent = state?.registration?.agentTokenHash === agentTokenHash
      if (state === undefined || !isPresent || state.credential.rotationAsked) return false
      const revision = revisionOf(state)
      if (known !== revision) return false
      const release = cluster.agent?.release ?? unsaid
      cluster.agent = { release, revision, seenAtMs: clock.currentTimeMillisUnsafe() }
      return true
    }
  })
  return cluster
})

const decide = <Payload, E>(
  decision: (
    state: ClusterState,
    payload: Payload & EntityBehavior.Command,
    nowMs: number
  ) => Result.Result<Decision<ClusterState, ClusterEvent, void>, E>
) => EntityBehavior.decide<ClusterState, ClusterEvent, Payload, void, E>("Cluster", Schema.Void, decision)

const agentOf = ({ id }: Cluster) => ({ _tag: "Agent" as const, clusterId: ClusterId.make(id) })

const checkServed = (release: AgentRelease) =>
  isServed(standingOf(release))
    ? Effect.void
    : Effect.fail(new AgentNotServed({ version: release.version, served: servedText() }))

/** The first use of an offered credential. What cannot be written now is written at its next use; both are taken until then. */
const takeIntoUse = (cluster: Cluster, agentTokenHash: string) =>
  cluster.journaled
    .observe({
      origin: "credential",
      principal: agentOf(cluster),
      decide: (state, nowMs) => Result.succeed(Credential.use(state, agentTokenHash, nowMs))
    })
    .pipe(
      Effect.catch((error) =>
        Effect.logWarning(`Cluster ${cluster.id}: a rotation of its agent's credential waits`, error)
      )
    )

/**
 * INV-CLU-6. Fails for a cluster that nobody registered in the same way: its existence is nobody's business. Who is known is
 * noted, also where its release is not served: operators see it.
 */
const checkAgent = Effect.fnUntraced(function* (cluster: Cluster, request: Request, held: Revision | null) {
  const state = yield* cluster.journaled.state
  const nowMs = yield* Clock.currentTimeMillis
  const { agentTokenHash, agent: release = unsaid } = request
  if (!Credential.isPermitted(state, agentTokenHash, nowMs)) return yield* new Unauthenticated({})
  cluster.agent = { release, revision: held, seenAtMs: nowMs }
  yield* checkServed(release)
  if (state.registration?.agentTokenHash !== agentTokenHash) yield* takeIntoUse(cluster, agentTokenHash)
  return yield* cluster.journaled.state
})

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
    decide: (state, nowMs) =>
      Result.succeed(Decisions.renewForAgent(state, { agentTokenHash, known, epoch }, nowMs))
  })
  yield* Effect.logWarning(
    `Cluster ${cluster.id}: its agent holds ${known}, which was never given here; see docs/runbooks/restored-database.md`
  )
})

const awaitDesired = Effect.fnUntraced(function* (
  cluster: Cluster,
  pull: Request & {
    readonly known: Revision | null
    readonly waitMs: number
    readonly allowDelta: boolean
  }
) {
  const first = yield* checkAgent(cluster, pull, pull.known)
  if (pull.known !== null && isUnheardOf(first, pull.known)) {
    yield* settleHistory(cluster, pull.agentTokenHash, pull.known)
  }
  const state = yield* cluster.journaled.awaitState(
    (now) =>
      isNewer(now, pull.known) ||
      !Credential.mayStay(now, pull.agentTokenHash) ||
      (now.credential.rotationAsked && !first.credential.rotationAsked),
    Duration.millis(pull.waitMs)
  )
  if (!Credential.mayStay(state, pull.agentTokenHash)) return yield* new Unauthenticated({})
  return answer(state, pull.known, pull.allowDelta)
})

/** `null` for one that nobody registered. */
const publicCluster = ({ id, agent }: Cluster, state: ClusterState, nowMs: number): ClusterModel | null =>
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
        agentSeenAtMs: agent?.seenAtMs ?? null,
        agent: agent === undefined ? null : { ...agent.release, standing: standingOf(agent.release) },
        credential: Credential.publicCredential(state, nowMs)
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

  IssueJoinToken: decide(Credential.issueJoinToken),
  RotateAgentCredential: decide(Credential.askRotation),
  RevokeAgentCredential: decide(Credential.revoke),

  // Who is no agent yet learns of nothing but a token that it has: 401 comes before all else.
  Join: (cluster, { payload: { joinTokenHash, credentialHash, agent = unsaid } }) => {
    const request = { joinTokenHash, credentialHash }
    return cluster.journaled.state.pipe(
      Effect.flatMap((state) =>
        Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
          Effect.fromResult(Credential.join(state, request, nowMs))
        )
      ),
      Effect.andThen(checkServed(agent)),
      Effect.andThen(
        cluster.journaled.observe({
          origin: "join",
          principal: agentOf(cluster),
          decide: (state, nowMs) => Credential.join(state, request, nowMs)
        })
      ),
      measured("Cluster", "Join")
    )
  },

  OfferCredential: (cluster, { payload }) =>
    checkAgent(cluster, payload, cluster.agent?.revision ?? null).pipe(
      Effect.andThen(
        cluster.journaled.observe({
          origin: "credential",
          principal: agentOf(cluster),
          decide: (state, nowMs) => Credential.offer(state, payload, nowMs)
        })
      ),
      measured("Cluster", "OfferCredential")
    ),

  Report: (cluster, { payload: { report, ...request } }) =>
    checkAgent(cluster, request, report.revision).pipe(
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

  IdentifyAgent: (cluster, { payload }) =>
    checkAgent(cluster, payload, cluster.agent?.revision ?? null).pipe(Effect.asVoid, Rpc.fork),

  GetCluster: (cluster) =>
    cluster.journaled.state.pipe(
      Effect.zip(Clock.currentTimeMillis),
      Effect.flatMap(([state, nowMs]) => {
        const shown = publicCluster(cluster, state, nowMs)
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
