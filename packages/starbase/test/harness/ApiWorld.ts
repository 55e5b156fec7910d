/** What tests of the API stand on: a cluster with an agent, two workspaces that must not see each other, and pushes. */
import { Effect, Redacted, Schedule } from "effect"
import type * as AppId from "@starform/domain/ids/AppId"
import { CommitSha, Digest, ImageReference } from "@starform/domain/ids/Digest"
import { ClusterId, DeployId, RequestId, WorkspaceId } from "@starform/domain/ids/Ids"
import { EnvironmentName, ProcessName, Slug } from "@starform/domain/ids/Slug"
import { isTerminal } from "@starform/domain/model/Deploy"
import type { AppRef } from "@starform/domain/protocol/AppRpcs"
import * as StarformClient from "@starform/domain/protocol/StarformClient"
import { Directory } from "@starform/starbase/api/Directory"
import { BuildFailed } from "@starform/starbase/builds/BuildErrors"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import { hash } from "@starform/starbase/security/Token"
import { StarbaseConfig } from "@starform/starbase/StarbaseConfig"
import type { Script } from "./ScriptedBuilder.ts"
import { operatorToken } from "./StarbaseProcess.ts"

export const clusterId = ClusterId.make("0198c0de-0000-7000-8000-000000000001")
export const workspaceId = WorkspaceId.make("0198c0de-0000-7000-8000-000000000002")
export const strangerId = WorkspaceId.make("0198c0de-0000-7000-8000-000000000003")
export const agentToken = Redacted.make(`sfc_${clusterId}_${"a".repeat(43)}`)
export const workspaceToken = Redacted.make(`sfw_${workspaceId}_${"w".repeat(43)}`)
export const strangerToken = Redacted.make(`sfw_${strangerId}_${"s".repeat(43)}`)

/** `acme/shop/api` in production. */
export const app: AppRef = {
  workspace: Slug.make("acme"),
  project: Slug.make("shop"),
  environment: EnvironmentName.make("production"),
  service: Slug.make("api")
}

let requests = 0

/** A request id of its own. */
export const requestId = (): RequestId => RequestId.make(`test-${process.pid}-${requests++}`)

const hexOf = (n: number) => n.toString(16).padStart(7, "0")

export const digestOf = (n: number) => Digest.make(`sha256:${hexOf(n).padEnd(64, "0")}`)

export const commitOf = (n: number) => CommitSha.make(hexOf(n).padEnd(40, "0"))

export const deployOf = (n: number) =>
  DeployId.make(`0198c0de-0000-7000-9000-${n.toString().padStart(12, "0")}`)

/** A build of this commit prints a line and then never ends. */
export const endless = 1001

/** Prints two lines; then a commit whose number is odd builds, and an even one fails. */
export const script: Script = Effect.fnUntraced(function* (spec, print) {
  const n = Number.parseInt(spec.gitSha.slice(0, 7), 16)
  yield* print(`installing for commit ${n}`)
  if (n === endless) return yield* Effect.never
  if (n % 2 === 0) {
    yield* print("npm error")
    return yield* new BuildFailed({
      buildId: spec.buildId,
      code: "InstallFailed",
      reason: "npm ci ended with status 1",
      advice: "Run it on your machine.",
      output: ["npm error"]
    })
  }
  yield* print("built")
  return {
    digest: digestOf(n),
    image: ImageReference.make(`local/app@${digestOf(n)}`),
    processes: [
      { name: ProcessName.make("web"), command: ["node", "server.js"] },
      { name: ProcessName.make("worker"), command: ["node", "worker.js"] }
    ],
    healthPath: null,
    durations: { queuedMs: 0, sourceMs: 0, installMs: 0, buildMs: 0, packageMs: 0, totalMs: 0 }
  }
})

/** Where this Starbase is. */
export const baseUrl = Effect.map(StarbaseConfig, ({ publicUrl }) => publicUrl)

export const clientOf = Effect.fnUntraced(function* (token: Redacted.Redacted<string>) {
  return yield* StarformClient.make({ url: yield* baseUrl, token })
})

/** Registers the cluster, both workspaces, the project `shop` and its service `api`, over the public API. */
export const setUp = Effect.gen(function* () {
  const operator = yield* clientOf(operatorToken)
  yield* operator.RegisterCluster({
    requestId: requestId(),
    clusterId,
    name: Slug.make("local"),
    region: "here",
    agentTokenHash: hash(agentToken)
  })
  const workspace = { requestId: requestId(), displayName: "Acme", slug: app.workspace, id: workspaceId }
  yield* operator.CreateWorkspace({ ...workspace, tokenHash: hash(workspaceToken) })
  yield* operator.CreateWorkspace({
    requestId: requestId(),
    id: strangerId,
    slug: Slug.make("globex"),
    displayName: "Globex",
    tokenHash: hash(strangerToken)
  })
  const client = yield* clientOf(workspaceToken)
  const { workspace: owner, project, service } = app
  yield* client.CreateProject({
    requestId: requestId(),
    workspace: owner,
    slug: project,
    displayName: "Shop",
    clusterId
  })
  yield* client.CreateService({
    requestId: requestId(),
    workspace: owner,
    project,
    slug: service,
    type: "web"
  })
})

export const appIdOf = Effect.fnUntraced(function* (
  ref: AppRef
): Effect.fn.Return<AppId.AppId, never, Directory> {
  const directory = yield* Directory
  const located = yield* Effect.orDie(directory.app({ _tag: "Operator" }, ref, "read"))
  return located.appId
})

/** Commit `n` arrives, as the git remote hands on a push that does not wait: there is no repository behind it. */
export const push = Effect.fnUntraced(function* (n: number, ref: AppRef = app) {
  const entities = yield* EntityClients
  const appId = yield* appIdOf(ref)
  return yield* entities.app(appId, (entity) =>
    entity.AcceptPush({
      requestId: RequestId.make(deployOf(n)),
      principal: { _tag: "Token", workspaceId, tokenId: "first", canWrite: true },
      deployId: deployOf(n),
      commit: commitOf(n),
      ref: "refs/heads/main",
      source: digestOf(n),
      repository: `${ref.workspace}/${ref.project}/${ref.service}`,
      detached: true
    })
  )
})

/** The deploy once it has ended. */
export const ended = (client: StarformClient.StarformClient, deployId: DeployId, ref: AppRef = app) =>
  client
    .AwaitDeploy({ app: ref, deployId, phasesSeen: 1000 })
    .pipe(
      Effect.repeat({ schedule: Schedule.forever, until: ({ phase }) => isTerminal(phase) }),
      Effect.timeout("20 seconds")
    )
