/** One branch and two processes that move it, over a real repository. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { randomUUID } from "node:crypto"
import { Context, Deferred, Effect, Fiber, Layer } from "effect"
import { ShardingConfig, TestRunner } from "effect/cluster"
import { ChildProcessSpawner } from "effect/process"
import { CommitSha } from "@starform/domain/ids/Digest"
import { DeployId } from "@starform/domain/ids/Ids"
import * as Entities from "@starform/starbase/Entities"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import * as BranchSettlement from "@starform/starbase/git/BranchSettlement"
import * as BundleIndex from "@starform/starbase/git/BundleIndex"
import * as GitConfig from "@starform/starbase/git/GitConfig"
import * as GitRepositories from "@starform/starbase/git/GitRepositories"
import * as RepositoryBundles from "@starform/starbase/git/RepositoryBundles"
import { pathIn } from "@starform/starbase/git/RepositoryName"
import * as JournalMemory from "@starform/starbase/journal/JournalMemory"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"
import * as BlobStoreMemory from "@starform/starbase/storage/BlobStoreMemory"
import * as Specimens from "../entities/Specimens.ts"
import * as GitClone from "../harness/GitClone.ts"
import { layerClient } from "../Postgres.ts"

const settings = Layer.unwrap(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "branches-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  ).pipe(Effect.map((dataDirectory) => StarbaseConfig.layerTest({ dataDirectory })))
)

const world = RepositoryBundles.layerNoDeps.pipe(
  Layer.provideMerge(BundleIndex.layerPostgres),
  Layer.provideMerge(Entities.layerNoDeps),
  Layer.provideMerge(TestRunner.layer),
  Layer.provideMerge(Layer.mergeAll(JournalMemory.layer, BlobStoreMemory.layer)),
  Layer.provideMerge(
    Layer.mergeAll(GitConfig.layer, ShardingConfig.layer(), layerClient, NodeServices.layer)
  ),
  Layer.provideMerge(settings)
)

/** A process of its own; each move of a branch waits for `gate` first. */
const process_ = (gate: Effect.Effect<unknown>) =>
  Layer.build(
    Layer.fresh(BranchSettlement.layerNoDeps).pipe(
      Layer.provide(Layer.fresh(GitRepositories.layerNoDeps)),
      Layer.provide(
        Layer.effect(
          ChildProcessSpawner.ChildProcessSpawner,
          Effect.map(ChildProcessSpawner.ChildProcessSpawner, ({ spawn }) =>
            ChildProcessSpawner.make((command) =>
              command._tag === "StandardCommand" && command.args.includes("update-ref")
                ? Effect.andThen(gate, spawn(command))
                : spawn(command)
            )
          )
        )
      )
    )
  ).pipe(Effect.map((context) => Context.get(context, BranchSettlement.BranchSettlement)))

/** A deploy of a new app that is live, and one after it that was just accepted. */
const deploys = Effect.fnUntraced(function* (first: CommitSha, second: CommitSha) {
  const entities = yield* EntityClients
  const identity = Specimens.uniqueIdentity()
  const { appId } = identity
  const { request } = Specimens
  const [live, next] = [DeployId.make(randomUUID()), DeployId.make(randomUUID())]
  const push = (deployId: DeployId, commit: CommitSha) =>
    entities.app(appId, (app) => app.AcceptPush({ ...Specimens.push(deployId), commit }))
  yield* entities.app(appId, (app) => app.CreateApp({ ...request("create"), identity }))
  yield* push(live, first)
  yield* entities.app(appId, (app) => app.RecordRelease({ ...request("release"), ...Specimens.built(live) }))
  yield* entities.app(appId, (app) => app.StartRollout({ ...request("rollout"), deployId: live }))
  const { desired } = yield* entities.app(appId, (app) => app.GetApp())
  const observed = Specimens.observed(desired!, "available")
  yield* entities.app(appId, (app) => app.Observe({ principal: Specimens.operator, observed }))
  yield* push(next, second)
  const repository = { projectId: identity.projectId, service: identity.serviceSlug }
  return { branch: { appId, repository, ref: "refs/heads/main" }, next }
})

const repository = Effect.fnUntraced(function* (
  clone: GitClone.GitClone,
  branch: BranchSettlement.DeployedBranch
) {
  const { directory } = yield* GitConfig.GitConfig
  const path = pathIn(directory, branch.repository)
  mkdirSync(dirname(path), { recursive: true })
  yield* clone.git("init", "--quiet", "--bare", "--initial-branch=main", path)
  yield* clone.git("push", "--quiet", path, "HEAD:refs/keep/all")
  return {
    path,
    at: Effect.map(clone.git("--git-dir", path, "rev-parse", branch.ref), (text) => text.trim())
  }
})

/** A process is about to move the branch to what is live; another one moves it to `next` before it does. */
const overtaken = Effect.fnUntraced(function* (branch: BranchSettlement.DeployedBranch, next: DeployId) {
  const [isAbout, mayMove] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
  const slow = yield* process_(Effect.andThen(Deferred.succeed(isAbout, undefined), Deferred.await(mayMove)))
  const other = yield* process_(Effect.void)
  const following = yield* Effect.forkChild(slow.follow(branch))
  yield* Deferred.await(isAbout)
  yield* other.lead(branch, next)
  yield* Deferred.succeed(mayMove, undefined)
  yield* Fiber.join(following)
})

it.layer(world, { timeout: 60_000, excludeTestServices: true })("A branch", (it) => {
  it.effect("INV-GIT-2 is not taken back by a process that was slow to move it", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const first = CommitSha.make(yield* clone.commit({ app: "1" }))
      const second = CommitSha.make(yield* clone.commit({ app: "2" }))
      const { branch, next } = yield* deploys(first, second)
      const { at } = yield* repository(clone, branch)
      yield* overtaken(branch, next)
      assert.strictEqual(yield* at, second)
    }).pipe(Effect.scoped)
  )

  it.effect("INV-GIT-2 is not taken back either when it was at the newer commit all the time", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const first = CommitSha.make(yield* clone.commit({ app: "1" }))
      const second = CommitSha.make(yield* clone.commit({ app: "2" }))
      const { branch, next } = yield* deploys(first, second)
      const { at, path } = yield* repository(clone, branch)
      yield* clone.git("push", "--quiet", path, `${second}:${branch.ref}`)
      yield* overtaken(branch, next)
      assert.strictEqual(yield* at, second)
    }).pipe(Effect.scoped)
  )
})
