/** One push: what is refused, what is accepted, and the verdict on each ref. README beside this file has the invariants. */
import type { WireError } from "@starform/domain/errors/Reaction"
import { CommitSha } from "@starform/domain/ids/Digest"
import { DeployId, RequestId } from "@starform/domain/ids/Ids"
import type { Slug } from "@starform/domain/ids/Slug"
import type { Principal } from "@starform/domain/model/Principal"
import type { Environment } from "@starform/domain/model/Workspace"
import * as DeployHop from "@starform/domain/tracing/DeployHop"
import * as Context from "effect/Context"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { AnySpan } from "effect/Tracer"
import type { LocatedProject } from "../api/Directory.ts"
import { ServiceCatalog } from "../api/ServiceCatalog.ts"
import { EntityClients } from "../entities/EntityClients.ts"
import * as Schedules from "../Schedules.ts"
import { StarbaseConfig } from "../StarbaseConfig.ts"
import { BlobStore } from "../storage/BlobStore.ts"
import { BranchSettlement } from "./BranchSettlement.ts"
import { type AcceptedDeploy, DeployFollower, type Print } from "./DeployFollower.ts"
import { GitRepositories } from "./GitRepositories.ts"
import { size } from "./OversizedPush.ts"
import * as PushOutput from "./PushOutput.ts"
import type { RepositoryName } from "./RepositoryName.ts"

/** Who pushes where, as the request was authenticated. */
export interface PushTarget {
  readonly principal: Principal
  readonly located: LocatedProject
  readonly service: Slug
  /** When the request began, and the trace that whoever sent it is in. */
  readonly arrived?: { readonly atMs: number; readonly trace: ReadonlyArray<AnySpan> }
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

/** What `git push -o` may say. */
const pushOptions: ReadonlyMap<string, string> = new Map([
  ["detach", "return when the push is accepted; the deploy goes on"]
])

const decodeCommit = Schema.decodeUnknownResult(CommitSha)

interface Push {
  readonly target: PushTarget
  readonly repository: RepositoryName
  readonly update: RefUpdate
  readonly commit: CommitSha
}

export const layerNoDeps = Layer.effect(
  PushSession,
  Effect.gen(function* () {
    const entities = yield* EntityClients
    const catalog = yield* ServiceCatalog
    const repositories = yield* GitRepositories
    const blobs = yield* BlobStore
    const follower = yield* DeployFollower
    const settlement = yield* BranchSettlement
    const random = yield* SecureRandom.SecureRandom
    const { appScheme, appPortSuffix, gitTreeEntriesMax, gitTreeBytesMax, commandLine } =
      yield* StarbaseConfig

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
      const { beyond, submodules } = yield* ours("read the commit", repositories.survey(repository, commit))
      if (beyond === "entriesMax") {
        const most = gitTreeEntriesMax.toLocaleString("en")
        return yield* refuse(
          "too many files",
          `  A commit may hold ${most} files and folders at most.`,
          "  Take build output and installed packages out of the commit."
        )
      }
      if (beyond === "bytesMax") {
        return yield* refuse(
          "too large unpacked",
          `  A commit's files may take ${size(gitTreeBytesMax)} at most.`,
          "  Take large files and build output out of the commit."
        )
      }
      if (submodules.length > 0) {
        return yield* refuse(
          "submodules are not supported",
          `  The commit has submodules: ${submodules.slice(0, 5).join(", ")}`,
          "  Add their files to the repository instead, or install them as packages."
        )
      }
    })

    const ensureService = Effect.fnUntraced(function* ({ target }: Push, print: Print) {
      const { located, principal, service: slug } = target
      const known = located.project.services.find((service) => service.slug === slug)
      if (known !== undefined) return known
      const requestId = RequestId.make(`push:${yield* random.uuidV7()}`)
      const created = yield* wire(catalog.createService(located, principal, requestId, { slug, type: "web" }))
      yield* print(PushOutput.serviceCreated(slug, located.project.slug))
      return created
    })

    /** Commit and source first, then the App's append (INV-GIT-1). */
    const acceptAs = Effect.fnUntraced(function* (
      deployId: DeployId,
      push: Push,
      environment: Environment,
      print: Print
    ) {
      const { repository, update, commit } = push
      const { located, principal, service: slug } = push.target
      const { project, workspace } = located
      const subject = yield* ours("read the commit", repositories.subject(repository, commit))
      yield* ours("keep the commit", repositories.keep(repository, deployId, commit))
      const source = yield* ours("keep the source", blobs.put(repositories.archive(repository, commit)))
      const service = yield* ensureService(push, print)
      const identity = yield* wire(catalog.ensureApp(located, principal, service, environment.name))
      const name = `${workspace.slug}/${project.slug}/${slug}`
      const deploy = yield* wire(
        Effect.retry(
          entities.app(identity.appId, (entity) =>
            entity.AcceptPush({
              requestId: RequestId.make(deployId),
              principal,
              deployId,
              commit,
              ref: update.ref,
              source: source.digest,
              repository: name,
              detached: false
            })
          ),
          // An ask without an answer may have been heard: the same request again settles it, and is never a second deploy.
          Schedules.personWaits
        )
      )
      const shown = { commit, subject, app: name, environment: environment.name }
      yield* Effect.forEach(PushOutput.accepted(shown), print)
      const urls = identity.hostnames.map((hostname) => `${appScheme}://${hostname}${appPortSuffix}`)
      const { appId } = identity
      const target = {
        commandLine,
        workspace: workspace.slug,
        project: project.slug,
        service: push.target.service,
        environment: environment.name
      }
      return { appId, deploy, urls, target } satisfies AcceptedDeploy
    })

    const accept = Effect.fnUntraced(function* (push: Push, environment: Environment, print: Print) {
      yield* checkTree(push.repository, push.commit)
      const deployId = DeployId.make(yield* random.uuidV7())
      const { arrived } = push.target
      const hop = arrived === undefined ? {} : { startMs: arrived.atMs, links: arrived.trace }
      return yield* acceptAs(deployId, push, environment, print).pipe(
        DeployHop.within(deployId, "git.receive", hop)
      )
    })

    /** The deploy stands whether the branch moves now or by the sweep. */
    const moved = <E extends { readonly message: string }>(ref: string, move: Effect.Effect<void, E>) =>
      Effect.catch(move, (error) => Effect.logWarning(`${ref} is left to the sweep`, error))

    const deployTo = Effect.fnUntraced(function* (
      push: Push,
      environment: Environment,
      isDetached: boolean,
      print: Print
    ) {
      const { repository, update } = push
      const accepted = yield* accept(push, environment, print)
      const branch = { appId: accepted.appId, repository, ref: update.ref }
      if (isDetached) {
        yield* moved(update.ref, settlement.lead(branch, accepted.deploy.id))
        yield* Effect.forEach(PushOutput.detached(accepted.deploy.id, accepted.target), print)
        return null
      }
      const { deploy, supersededBy } = yield* follower.follow(accepted, print)
      if (deploy.phase === "deployed") yield* moved(update.ref, settlement.follow(branch))
      return PushOutput.verdict(deploy, supersededBy, update.ref)
    })

    const handle = Effect.fnUntraced(function* (
      target: PushTarget,
      update: RefUpdate,
      options: ReadonlyArray<string>,
      print: Print
    ) {
      const unknown = options.find((option) => !pushOptions.has(option))
      if (unknown !== undefined) {
        const known = [...pushOptions].map(([option, meaning]) => `  -o ${option}: ${meaning}`)
        return yield* refuse(`unknown push option "${unknown.slice(0, 40)}"`, "  Push options:", ...known)
      }
      const branch = /^refs\/heads\/(.+)$/.exec(update.ref)?.[1]
      if (branch === undefined) {
        return yield* refuse("only branches are taken", "  Push a branch; tags stay on your side.")
      }
      if (nobody.test(update.after)) {
        return yield* refuse("branches are not deleted here", "  What is live stays live.")
      }
      const { project } = target.located
      const repository = { projectId: project.id, service: target.service }
      const commit = decodeCommit(update.after)
      if (
        Result.isFailure(commit) ||
        !(yield* ours("read the commit", repositories.isCommit(repository, update.after)))
      ) {
        return yield* refuse("not a commit", "  A branch points at a commit: push <tag>^{commit} instead.")
      }
      const push: Push = { target, repository, update, commit: commit.success }
      const environment = project.environments.find((candidate) => candidate.branch === branch)
      if (environment !== undefined) {
        return yield* deployTo(push, environment, options.includes("detach"), print)
      }
      yield* ensureService(push, print)
      yield* ours("store the branch", repositories.moveBranch(repository, update.ref, commit.success))
      const deploying = project.environments.map(({ name, branch: from }) => [from, name] as const)
      yield* Effect.forEach(PushOutput.stored(branch, deploying), print)
      return null
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
