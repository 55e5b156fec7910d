/** One push: what is accepted, and what the person sees until it ends. README beside this file has the invariants. */
import type { WireError } from "@starform/domain/errors/Reaction"
import { type AppId } from "@starform/domain/ids/AppId"
import { CommitSha } from "@starform/domain/ids/Digest"
import { BuildId, DeployId, RequestId } from "@starform/domain/ids/Ids"
import type { Slug } from "@starform/domain/ids/Slug"
import { type Deploy, isTerminal } from "@starform/domain/model/Deploy"
import type { Principal } from "@starform/domain/model/Principal"
import type { Environment } from "@starform/domain/model/Workspace"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { LocatedProject } from "../api/Directory.ts"
import { ServiceCatalog } from "../api/ServiceCatalog.ts"
import { BuildService } from "../builds/BuildService.ts"
import { EntityClients } from "../entities/EntityClients.ts"
import { StarbaseConfig } from "../StarbaseConfig.ts"
import { BlobStore } from "../storage/BlobStore.ts"
import { GitConfig } from "./GitConfig.ts"
import { GitRepositories, type RepositoryName } from "./GitRepositories.ts"
import * as PushOutput from "./PushOutput.ts"

/** Who pushes where, as the request was authenticated. */
export interface PushTarget {
  readonly principal: Principal
  readonly located: LocatedProject
  readonly service: Slug
}

export interface RefUpdate {
  readonly before: string
  readonly after: string
  readonly ref: string
}

export interface Verdict {
  readonly ref: string
  /** `null` is ok. */
  readonly reason: string | null
}

export type Print = (line: string) => Effect.Effect<void>

export class PushSession extends Context.Service<
  PushSession,
  {
    /** Handles the refs of a push one after the other; answers a verdict for each. */
    readonly run: (
      target: PushTarget,
      updates: ReadonlyArray<RefUpdate>,
      options: ReadonlyArray<string>,
      print: Print
    ) => Effect.Effect<ReadonlyArray<Verdict>>
  }
>()("@starform/starbase/git/PushSession") {}

/** A push that is refused before it is accepted; `reason` is git's one line. */
class PushRefused extends Schema.TaggedError<PushRefused>()("PushRefused", {
  reason: Schema.String,
  advice: Schema.Array(Schema.String)
}) {
  override get message() {
    return this.reason
  }
}

const refuse = (reason: string, ...advice: ReadonlyArray<string>) =>
  Effect.fail(new PushRefused({ reason, advice }))

const nobody = /^0+$/

/** How long the build's last lines may take after the build has ended. */
const logDrain = Duration.seconds(2)

/** Longest wait of one ask for the deploy's next phase. */
const phaseWait = Duration.seconds(25)

const decodeCommit = Schema.decodeUnknownResult(CommitSha)

interface Accepted {
  readonly appId: AppId
  readonly deploy: Deploy
  readonly repository: RepositoryName
  readonly update: RefUpdate
  readonly commit: CommitSha
  readonly urls: ReadonlyArray<string>
  readonly handle: { readonly buildId: BuildId; readonly workspaceId: LocatedProject["workspace"]["id"] }
}

export const layerNoDeps = Layer.effect(
  PushSession,
  Effect.gen(function* () {
    const entities = yield* EntityClients
    const catalog = yield* ServiceCatalog
    const repositories = yield* GitRepositories
    const blobs = yield* BlobStore
    const builds = yield* BuildService
    const random = yield* SecureRandom.SecureRandom
    const { heartbeat } = yield* GitConfig
    const { appScheme, appPortSuffix } = yield* StarbaseConfig

    const wire = <A, E extends WireError, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.catch(effect, (error) =>
        Effect.logInfo(`push refused: ${error.message}`).pipe(Effect.andThen(refuse(error.person)))
      )

    const ours = <A, E extends { readonly message: string }, R>(
      what: string,
      effect: Effect.Effect<A, E, R>
    ) =>
      Effect.catch(effect, (error) =>
        Effect.logError(`push: ${what}`, error).pipe(
          Effect.andThen(refuse(`Starform could not ${what}; nothing was accepted, push again`))
        )
      )

    const checkTree = Effect.fnUntraced(function* (repository: RepositoryName, commit: CommitSha) {
      const submodules = yield* ours("read the commit", repositories.submodules(repository, commit))
      if (submodules.length > 0) {
        return yield* refuse(
          "submodules are not supported",
          `  The commit has submodules: ${submodules.slice(0, 5).join(", ")}`,
          "  Add their files to the repository instead, or install them as packages."
        )
      }
    })

    /** Commit and source first, then the App's append (INV-GIT-1). */
    const accept = Effect.fnUntraced(function* (
      target: PushTarget,
      update: RefUpdate,
      commit: CommitSha,
      environment: Environment,
      isDetached: boolean,
      print: Print
    ) {
      const { located, principal } = target
      const { project, workspace } = located
      const repository = { projectId: project.id, service: target.service }
      yield* checkTree(repository, commit)
      const deployId = DeployId.make(yield* random.uuidV7())
      const subject = yield* ours("read the commit", repositories.subject(repository, commit))
      yield* ours("keep the commit", repositories.keep(repository, deployId, commit))
      const source = yield* ours("keep the source", blobs.put(repositories.archive(repository, commit)))
      const isNew = !project.services.some(({ slug }) => slug === target.service)
      const service = yield* wire(
        catalog.createService(located, principal, RequestId.make(`push:${target.service}`), {
          slug: target.service,
          type: "web"
        })
      )
      const identity = yield* wire(catalog.ensureApp(located, principal, service, environment.name))
      const name = `${workspace.slug}/${project.slug}/${target.service}`
      const app = yield* wire(
        entities.app(identity.appId, (entity) =>
          entity.AcceptPush({
            requestId: RequestId.make(deployId),
            principal,
            deployId,
            commit,
            ref: update.ref,
            source: source.digest,
            repository: name,
            detached: isDetached
          })
        )
      )
      if (isNew) yield* print(PushOutput.serviceCreated(target.service, project.slug))
      const shown = { commit, subject, app: name, environment: environment.name }
      yield* Effect.forEach(PushOutput.accepted(shown), print)
      const urls = identity.hostnames.map((hostname) => `${appScheme}://${hostname}${appPortSuffix}`)
      const handle = { buildId: BuildId.make(deployId), workspaceId: workspace.id }
      return {
        appId: identity.appId,
        deploy: app,
        repository,
        update,
        commit,
        urls,
        handle
      } satisfies Accepted
    })

    /** The build's log as it comes: its place in the queue first, then its output. */
    const tail = (accepted: Accepted, print: Print) =>
      builds.logs(accepted.handle, 1).pipe(
        Stream.runForEach((line) => print(PushOutput.buildLine(line.text))),
        Effect.ignore
      )

    const nextPhase = (accepted: Accepted, seen: number): Effect.Effect<Deploy> =>
      entities
        .app(
          accepted.appId,
          (app) =>
            app.AwaitDeploy({
              deployId: accepted.deploy.id,
              phasesSeen: seen,
              waitMs: Duration.toMillis(phaseWait)
            }),
          phaseWait
        )
        .pipe(
          Effect.catch((error) =>
            Effect.logDebug(`push waits: ${error.message}`).pipe(
              Effect.andThen(Effect.sleep("1 second")),
              Effect.andThen(Effect.succeed(accepted.deploy))
            )
          )
        )

    const supersedingCommit = Effect.fnUntraced(function* (accepted: Accepted, deploy: Deploy) {
      if (deploy.supersededBy === null) return null
      const state = yield* Effect.orElseSucceed(
        entities.app(accepted.appId, (app) => app.GetApp()),
        () => null
      )
      return state?.deploys.find(({ id }) => id === deploy.supersededBy)?.commit ?? null
    })

    /** Follows an accepted deploy to its end. Losing this fiber loses nothing but the words. */
    const follow = Effect.fnUntraced(function* (accepted: Accepted, print: Print) {
      let lastMs = yield* Clock.currentTimeMillis
      const say: Print = (line) =>
        Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
          lastMs = nowMs
          return print(line)
        })
      let deploy = accepted.deploy
      let seen = deploy.phases.length
      const startMs = deploy.phases[0]?.atMs ?? lastMs
      const heartbeats = yield* Effect.gen(function* () {
        yield* Effect.sleep(heartbeat)
        const nowMs = yield* Clock.currentTimeMillis
        const since = deploy.phases.at(-1)?.atMs ?? nowMs
        if (nowMs - lastMs >= Duration.toMillis(heartbeat) - 100) {
          yield* say(PushOutput.still(deploy.phase, nowMs - since))
        }
      }).pipe(Effect.forever, Effect.forkChild)
      let building: Fiber.Fiber<unknown> | undefined
      while (!isTerminal(deploy.phase)) {
        const next = yield* nextPhase(accepted, seen)
        if (next.phases.length <= seen) continue
        const entersBuild = next.phases.slice(seen).some(({ phase }) => phase === "building")
        if (building !== undefined && next.phase !== "building") {
          yield* Effect.timeoutOption(Fiber.await(building), logDrain)
        }
        deploy = next
        yield* Effect.forEach(PushOutput.phases(deploy, seen), say)
        seen = deploy.phases.length
        if (entersBuild) {
          building = yield* Effect.forkChild(tail(accepted, say))
          if (deploy.phase !== "building") yield* Effect.timeoutOption(Fiber.await(building), logDrain)
        }
      }
      yield* Fiber.interrupt(heartbeats)
      const endMs = deploy.phases.at(-1)?.atMs ?? startMs
      const by = yield* supersedingCommit(accepted, deploy)
      const words =
        deploy.phase === "deployed"
          ? PushOutput.live(accepted.urls, endMs - startMs)
          : deploy.failure === null
            ? PushOutput.ended(deploy.phase, by)
            : PushOutput.failure(deploy.failure)
      yield* Effect.forEach(words, print)
      return { deploy, reason: PushOutput.verdict(deploy, by) }
    }, Effect.scoped)

    const settle = Effect.fnUntraced(function* (accepted: Accepted, principal: Principal) {
      yield* ours(
        "move the branch",
        repositories.moveBranch(accepted.repository, accepted.update.ref, accepted.commit)
      )
      const requestId = RequestId.make(`branch:${accepted.deploy.id}`)
      yield* Effect.ignore(
        entities.app(accepted.appId, (app) =>
          app.SettleBranch({ requestId, principal, deployId: accepted.deploy.id })
        )
      )
    })

    const handle = Effect.fnUntraced(function* (
      target: PushTarget,
      update: RefUpdate,
      options: ReadonlyArray<string>,
      print: Print
    ) {
      const branch = /^refs\/heads\/(.+)$/.exec(update.ref)?.[1]
      if (branch === undefined) {
        return yield* refuse("only branches are taken", "  Push a branch; tags stay on your side.")
      }
      if (nobody.test(update.after)) {
        return yield* refuse("branches are not deleted here", "  What is live stays live.")
      }
      const commit = decodeCommit(update.after)
      if (Result.isFailure(commit)) return yield* refuse("not a commit")
      const { project } = target.located
      const environment = project.environments.find((candidate) => candidate.branch === branch)
      const repository = { projectId: project.id, service: target.service }
      if (environment === undefined) {
        yield* ours("store the branch", repositories.moveBranch(repository, update.ref, commit.success))
        const deploying = project.environments.map(({ name, branch: from }) => [from, name] as const)
        yield* Effect.forEach(PushOutput.stored(branch, deploying), print)
        return null
      }
      const isDetached = options.includes("detach")
      const accepted = yield* accept(target, update, commit.success, environment, isDetached, print)
      if (isDetached) {
        yield* ours("move the branch", repositories.moveBranch(repository, update.ref, commit.success))
        yield* Effect.forEach(PushOutput.detached(accepted.deploy.id), print)
        return null
      }
      const { deploy, reason } = yield* follow(accepted, print)
      if (deploy.phase === "deployed") yield* settle(accepted, target.principal)
      return reason
    })

    return PushSession.of({
      run: (target, updates, options, print) =>
        Effect.forEach(updates, (update) =>
          handle(target, update, options, print).pipe(
            Effect.catchTag("PushRefused", ({ reason, advice }) =>
              Effect.as(Effect.forEach(["", ...advice, ""], print), reason as string | null)
            ),
            Effect.map((reason): Verdict => ({ ref: update.ref, reason }))
          )
        )
    })
  })
)
