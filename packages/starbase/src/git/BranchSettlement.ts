/**
 * Where a branch points after a push: at the newest commit that went live from it or was pushed detached (INV-GIT-2).
 * Sessions and the sweep come through here, one at a time per branch in a process; processes do not overtake each other.
 */
import { Unavailable } from "@starform/domain/errors/RequestErrors"
import type { AppId } from "@starform/domain/ids/AppId"
import type { CommitSha } from "@starform/domain/ids/Digest"
import { type DeployId, RequestId } from "@starform/domain/ids/Ids"
import type { Principal } from "@starform/domain/model/Principal"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { EntityClients } from "../entities/EntityClients.ts"
import * as Schedules from "../Schedules.ts"
import type { GitFailed } from "./GitProcess.ts"
import { GitRepositories } from "./GitRepositories.ts"
import type { RepositoryName } from "./RepositoryName.ts"

export interface DeployedBranch {
  readonly appId: AppId
  readonly repository: RepositoryName
  /** `refs/heads/…` */
  readonly ref: string
}

const principal: Principal = { _tag: "System", part: "git" }

const settled = (entities: EntityClients["Service"], appId: AppId, deployId: DeployId) =>
  entities.app(appId, (app) =>
    app.SettleBranch({ requestId: RequestId.make(`branch:${deployId}`), principal, deployId })
  )

type SettleError = GitFailed | Effect.Error<ReturnType<typeof settled>>

export class BranchSettlement extends Context.Service<
  BranchSettlement,
  {
    /** Brings the branch to what went live from it last. Idempotent; an older deploy never takes it back. */
    readonly follow: (branch: DeployedBranch) => Effect.Effect<void, SettleError>
    /** Moves the branch ahead of its deploy, as a detached push asks; a newer one keeps it. */
    readonly lead: (branch: DeployedBranch, deployId: DeployId) => Effect.Effect<void, SettleError>
  }
>()("@starform/starbase/git/BranchSettlement") {}

export const layerNoDeps = Layer.effect(
  BranchSettlement,
  Effect.gen(function* () {
    const entities = yield* EntityClients
    const repositories = yield* GitRepositories
    const turns = new Map<string, { readonly turn: Semaphore.Semaphore; waiting: number }>()

    const inTurn =
      ({ appId, ref }: DeployedBranch) =>
      <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            const key = `${appId} ${ref}`
            const entry = turns.get(key) ?? { turn: Semaphore.makeUnsafe(1), waiting: 0 }
            entry.waiting += 1
            turns.set(key, entry)
            return { key, entry }
          }),
          ({ entry }) => entry.turn.withPermit(effect),
          ({ key, entry }) =>
            Effect.sync(() => {
              entry.waiting -= 1
              if (entry.waiting === 0) turns.delete(key)
            })
        )

    const pushesOf = Effect.fnUntraced(function* ({ appId, ref }: DeployedBranch) {
      const { deploys } = yield* entities.app(appId, (app) => app.GetApp())
      return deploys.filter((deploy) => deploy.kind === "push" && deploy.ref === ref)
    })

    /**
     * A commit that is pushed once more leaves the branch where it was, so that whoever was slow cannot see that it was moved.
     * What was settled meanwhile is newer, and has the branch back.
     */
    const giveWay = Effect.fnUntraced(function* (
      branch: DeployedBranch,
      moved: { readonly id: DeployId; readonly commit: CommitSha }
    ) {
      const pushes = yield* pushesOf(branch)
      const newest = pushes.findLastIndex(({ branchSettled }) => branchSettled)
      const commit = pushes[newest]?.commit ?? null
      if (commit === null || newest <= pushes.findIndex(({ id }) => id === moved.id)) return
      yield* repositories.moveBranch(branch.repository, branch.ref, commit, moved.commit)
    })

    /** Where the branch is comes first: a process that moves it after that knows more, and this one begins again. */
    const settle = Effect.fnUntraced(function* (branch: DeployedBranch, ahead: DeployId | null) {
      const { appId, repository, ref } = branch
      const from = yield* repositories.branch(repository, ref)
      const pushes = yield* pushesOf(branch)
      if (ahead !== null && !pushes.some(({ id }) => id === ahead)) {
        return yield* new Unavailable({ what: `app ${appId}` })
      }
      const leads = pushes.filter(({ id, phase }) => id === ahead || phase === "deployed")
      const newest = pushes.findLast((push) => push.branchSettled || leads.includes(push))
      if (newest !== undefined && !newest.branchSettled && newest.commit !== null) {
        const { id, commit } = newest
        yield* repositories.moveBranch(repository, ref, commit, from)
        yield* giveWay(branch, { id, commit })
      }
      const due = leads.filter(({ branchSettled }) => !branchSettled)
      yield* Effect.forEach(due, ({ id }) => settled(entities, appId, id), { discard: true })
    }, Effect.retry(Schedules.branchMoves))

    return BranchSettlement.of({
      follow: (branch) => inTurn(branch)(settle(branch, null)),
      lead: (branch, deployId) => inTurn(branch)(settle(branch, deployId))
    })
  })
)
