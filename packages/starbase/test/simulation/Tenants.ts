/** People and their tools: commands with an id of their own, repeated until they are answered, or given up half way. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { classOf, type Reaction } from "@starform/domain/errors/Reaction"
import { TokenHash } from "@starform/domain/ids/Digest"
import { type ClusterId, DeployId, RequestId, type WorkspaceId } from "@starform/domain/ids/Ids"
import { Hostname, NamespaceName, ProcessName, Slug } from "@starform/domain/ids/Slug"
import * as Redacted from "effect/Redacted"
import { defaultEnvironment } from "@starform/domain/model/Workspace"
import type { EntityClients } from "@starform/starbase/entities/EntityClients"
import type { AppIdentity } from "@starform/starbase/entities/app/AppEntity"
import type { EntityKey } from "@starform/starbase/journal/Journal"
import * as Token from "@starform/starbase/security/Token"
import * as Specimens from "../entities/Specimens.ts"
import type { Acknowledgement } from "../invariants/Evidence.ts"
import type { Chance } from "./Chance.ts"
import type { Deployment } from "./Deployment.ts"
import type { GitPushes, Remote } from "./GitPushes.ts"
import type { Process } from "./World.ts"

type Clients = EntityClients["Service"]

/** The n-th tenant, cluster and app of a run. */
export const workspaceOf = (n: number): WorkspaceId => Specimens.workspaceId(100 + n)
export const clusterOf = (n: number): ClusterId => Specimens.clusterId(100 + n)

/** Of the agent of a cluster, and of a workspace's people. */
export const agentTokenOf = (n: number) => `sfc_${clusterOf(n)}_${"a".repeat(43)}`
export const peoplesTokenOf = (n: number) => `sfw_${workspaceOf(n)}_${"p".repeat(43)}`

export const hashOfToken = (token: string) => TokenHash.make(Token.hash(Redacted.make(token)))

export const identityOf = (n: number, tenant: number, cluster: number): AppIdentity => ({
  ...Specimens.identity(200 + n),
  workspaceId: workspaceOf(tenant),
  workspaceSlug: Slug.make(`tenant-${tenant}`),
  projectSlug: Slug.make(`project-${n}`),
  namespace: NamespaceName.make(`proj-${n}`),
  clusterId: clusterOf(cluster),
  serviceSlug: Slug.make(`app-${n}`),
  hostnames: [Hostname.make(`app-${n}.test`)]
})

export interface Tenant {
  readonly n: number
  readonly apps: ReadonlyArray<AppIdentity>
}

interface Command {
  readonly entity: EntityKey
  readonly requestId: RequestId
  readonly what: string
  /** How many events it appends when it is the first of its id. */
  readonly appends?: number
  readonly ask: (clients: Clients) => Effect.Effect<unknown, unknown>
}

const classOfError = (error: unknown) =>
  typeof error === "object" && error !== null && "reaction" in error
    ? classOf(error.reaction as Reaction)
    : "transient"

const tagOf = (error: unknown) =>
  typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : "Error"

/** Longer than any ask of an entity (20 s): a caller's own patience. */
const patienceMs = 25_000

export class Tenants {
  readonly acknowledged: Array<Acknowledgement> = []
  readonly problems: Array<string> = []
  /** Commands that are still asked. */
  open = 0
  private readonly chance: Chance
  private readonly outside: Process
  private readonly deployment: Deployment
  private ids = 0
  private readonly git: GitPushes

  constructor(outside: Process, deployment: Deployment, git: GitPushes) {
    this.git = git
    this.outside = outside
    this.deployment = deployment
    this.chance = outside.world.chance.fork("tenants")
  }

  private attempt({ entity, requestId, what, appends, ask }: Command) {
    const { world } = this.outside
    return this.deployment.ask(ask).pipe(
      Effect.timeout(patienceMs),
      Effect.matchCause({
        onSuccess: (reply) => {
          this.acknowledged.push({ entity, requestId, reply, ...(appends === undefined ? {} : { appends }) })
          world.note("outside", `${what} acknowledged`)
          return "over" as const
        },
        onFailure: (cause) => {
          const error = cause.reasons.find(Cause.isFailReason)?.error
          // A runner that stops interrupts whoever asks through it, and closes the connection.
          const kind =
            error !== undefined
              ? classOfError(error)
              : Cause.hasInterruptsOnly(cause)
                ? "transient"
                : "defect"
          world.note("outside", `${what}: ${error === undefined ? String(cause) : tagOf(error)}`)
          if (kind === "defect" || kind === "terminal") {
            this.problems.push(
              `${what} was answered by ${error === undefined ? String(cause) : tagOf(error)}`
            )
          }
          return kind === "transient" ? ("again" as const) : ("over" as const)
        }
      })
    )
  }

  /** Asks until there is an answer; some are asked through two runners at once, some by callers that go away. */
  run(command: Command): Effect.Effect<void> {
    const { chance } = this
    const isDoubled = chance.is(0.15)
    const attemptsMax = chance.is(0.08) ? 1 : Number.POSITIVE_INFINITY
    const repeats = chance.is(0.1)
    const once = Effect.gen({ self: this }, function* () {
      this.outside.world.note("outside", command.what)
      let answer = yield* this.attempt(command)
      for (let attempts = 1; answer === "again" && attempts < attemptsMax; attempts++) {
        yield* Effect.sleep(chance.between(50, 1_500))
        answer = yield* this.attempt(command)
      }
      if (repeats) yield* this.attempt(command)
    })
    return Effect.suspend(() => {
      this.open++
      const racing = isDoubled
        ? Effect.all([once, this.attempt(command)], { concurrency: 2, discard: true })
        : once
      return Effect.ensuring(
        racing,
        Effect.sync(() => {
          this.open--
        })
      )
    })
  }

  private command(
    entity: EntityKey,
    what: string,
    ask: (clients: Clients, requestId: RequestId) => Effect.Effect<unknown, unknown>,
    appends?: number
  ): Effect.Effect<void> {
    const requestId = RequestId.make(`${what}-${++this.ids}`)
    return this.run({
      entity,
      requestId,
      what: `${what}-${this.ids}`,
      ask: (clients) => ask(clients, requestId),
      ...(appends === undefined ? {} : { appends })
    })
  }

  registerCluster(n: number): Effect.Effect<void> {
    const clusterId = clusterOf(n)
    const registration = {
      clusterId,
      name: Slug.make(`cluster-${n}`),
      region: "here",
      agentTokenHash: hashOfToken(agentTokenOf(n))
    }
    return this.command({ type: "Cluster", id: clusterId }, `register cluster-${n}`, (clients, requestId) =>
      clients.cluster(clusterId, (cluster) =>
        cluster.RegisterCluster({
          requestId,
          principal: Specimens.operator,
          registration,
          epoch: `0000000${n}`
        })
      )
    )
  }

  createWorkspace({ n }: Tenant): Effect.Effect<void> {
    const id = workspaceOf(n)
    return this.command({ type: "Tenant", id }, `create tenant-${n}`, (clients, requestId) =>
      clients.tenant(id, (tenant) =>
        tenant.CreateWorkspace({
          requestId,
          principal: Specimens.operator,
          workspace: { id, slug: Slug.make(`tenant-${n}`), displayName: `tenant ${n}` },
          token: { id: "first", hash: hashOfToken(peoplesTokenOf(n)), canWrite: true }
        })
      )
    )
  }

  /** A project for one app. */
  createProject({ projectId, projectSlug, ...app }: AppIdentity): Effect.Effect<void> {
    const { workspaceId, clusterId, namespace, serviceId, serviceSlug, serviceType } = app
    const project = {
      id: projectId,
      workspaceId,
      slug: projectSlug,
      displayName: projectSlug,
      clusterId,
      namespace,
      environments: [defaultEnvironment],
      services: [{ id: serviceId, slug: serviceSlug, type: serviceType }]
    }
    return this.command({ type: "Tenant", id: workspaceId }, `create ${projectSlug}`, (clients, requestId) =>
      clients.tenant(workspaceId, (tenant) =>
        tenant.CreateProject({ requestId, principal: Specimens.operator, project })
      )
    )
  }

  createApp(identity: AppIdentity): Effect.Effect<void> {
    const { appId } = identity
    return this.command({ type: "App", id: appId }, `create ${identity.serviceSlug}`, (clients, requestId) =>
      clients.app(appId, (app) => app.CreateApp({ requestId, principal: Specimens.operator, identity }))
    )
  }

  push(identity: AppIdentity): Effect.Effect<void> {
    const n = ++this.ids
    const deployId = DeployId.make(Specimens.deployId(n))
    const { appId } = identity
    return this.run({
      entity: { type: "App", id: appId },
      requestId: RequestId.make(deployId),
      what: `push-${n} ${identity.serviceSlug}`,
      // To a branch of its own, which nobody is to move: no repository has the commit.
      ask: (clients) =>
        clients.app(appId, (app) =>
          app.AcceptPush({ ...Specimens.push(deployId, n), ref: "refs/heads/asked", detached: true })
        )
    })
  }

  /** Now and then of a service that nobody has made yet. */
  private remoteOf({ n }: Tenant, { workspaceSlug, projectSlug, serviceSlug }: AppIdentity): Remote {
    const service = this.chance.is(0.1) ? "worker-by-push" : serviceSlug
    return { name: `${workspaceSlug}/${projectSlug}/${service}`, token: peoplesTokenOf(n) }
  }

  /** Somebody looks at the repository of an app. */
  look(tenant: Tenant, identity: AppIdentity): Effect.Effect<void> {
    return this.git.look(this.remoteOf(tenant, identity))
  }

  /** Something that a person of this tenant does next. */
  act(tenant: Tenant): Effect.Effect<void> {
    const { chance } = this
    const identity = chance.pick(tenant.apps)
    const { appId, serviceSlug } = identity
    const entity = { type: "App", id: appId }
    const principal = Specimens.operator
    const deploy = () => DeployId.make(Specimens.deployId(++this.ids))
    const choice = chance.below(20)
    // Some by whoever asks the App twice for one push: the remote does that when it hears no answer.
    if (choice < 2) return this.push(identity)
    if (choice < 8) return this.git.push(this.remoteOf(tenant, identity))
    if (choice < 10) {
      const deployId = deploy()
      return this.command(entity, `roll back ${serviceSlug}`, (clients, requestId) =>
        clients.app(appId, (app) => app.RollBack({ requestId, principal, deployId, release: null }))
      )
    }
    if (choice < 12) {
      const deployId = deploy()
      return this.command(entity, `restart ${serviceSlug}`, (clients, requestId) =>
        clients.app(appId, (app) => app.Restart({ requestId, principal, deployId }))
      )
    }
    if (choice < 14) {
      const deployId = deploy()
      const replicas = 1 + chance.below(4)
      return this.command(entity, `scale ${serviceSlug} to ${replicas}`, (clients, requestId) =>
        clients.app(appId, (app) =>
          app.SetScale({ requestId, principal, deployId, process: ProcessName.make("web"), replicas })
        )
      )
    }
    if (choice < 16) return this.cancel(identity)
    if (choice < 18) return this.look(tenant, identity)
    return this.member(tenant)
  }

  /** Cancels whatever runs. */
  private cancel({ appId, serviceSlug }: AppIdentity): Effect.Effect<void> {
    const newest = this.deployment
      .ask((clients) => clients.app(appId, (app) => app.GetApp()))
      .pipe(Effect.timeout(patienceMs), Effect.option)
    return Effect.flatMap(newest, (state) => {
      const deployId = state._tag === "Some" ? state.value.deploys.at(-1)?.id : undefined
      if (deployId === undefined) return Effect.void
      return this.command({ type: "App", id: appId }, `cancel ${serviceSlug}`, (clients, requestId) =>
        clients.app(appId, (app) => app.CancelDeploy({ requestId, principal: Specimens.operator, deployId }))
      )
    })
  }

  private member({ n }: Tenant): Effect.Effect<void> {
    const { chance } = this
    const id = workspaceOf(n)
    const principal = Specimens.operator
    const tokenId = `token-${chance.below(4)}`
    const hash = hashOfToken(`another ${++this.ids}`)
    return chance.is(0.6)
      ? this.command({ type: "Tenant", id }, `add ${tokenId} to tenant-${n}`, (clients, requestId) =>
          clients.tenant(id, (tenant) =>
            tenant.AddToken({ requestId, principal, token: { id: tokenId, hash, canWrite: true } })
          )
        )
      : this.command({ type: "Tenant", id }, `revoke ${tokenId} of tenant-${n}`, (clients, requestId) =>
          clients.tenant(id, (tenant) => tenant.RevokeToken({ requestId, principal, tokenId }))
        )
  }

  /** One tenant's day: act, wait, act, until it is over. */
  day(tenant: Tenant, untilMs: number, pauseMs: number): Effect.Effect<void> {
    const { chance, outside } = this
    return Effect.gen({ self: this }, function* () {
      while (outside.world.nowMs < untilMs) {
        outside.fork(this.act(tenant))
        yield* Effect.sleep(pauseMs * -Math.log(1 - chance.next()))
      }
    })
  }
}
