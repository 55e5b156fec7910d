import { assert, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Option, Redacted, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { type DesiredState, DesiredState as DesiredStateSchema } from "@starform/domain/desired/DesiredState"
import * as AppId from "@starform/domain/ids/AppId"
import { CommitSha, Digest, ImageReference } from "@starform/domain/ids/Digest"
import { ClusterId, DeployId, ProjectId, RequestId, WorkspaceId } from "@starform/domain/ids/Ids"
import { EnvironmentName, Hostname, NamespaceName, ProcessName, Slug } from "@starform/domain/ids/Slug"
import { type Deploy, isTerminal } from "@starform/domain/model/Deploy"
import { defaultEnvironment } from "@starform/domain/model/Workspace"
import { type ObservedApp, StatusReport } from "@starform/domain/observed/ObservedApp"
import { Directory } from "@starform/starbase/api/Directory"
import { ServiceCatalog } from "@starform/starbase/api/ServiceCatalog"
import { BuildFailed } from "@starform/starbase/builds/BuildErrors"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import { hash } from "@starform/starbase/security/Token"
import { StarbaseConfig } from "@starform/starbase/StarbaseConfig"
import type { Script } from "./harness/ScriptedBuilder.ts"
import * as StarbaseProcess from "./harness/StarbaseProcess.ts"

const principal = { _tag: "Operator" } as const
const clusterId = ClusterId.make("0198c0de-0000-7000-8000-000000000001")
const workspaceId = WorkspaceId.make("0198c0de-0000-7000-8000-000000000002")
const projectId = ProjectId.make("0198c0de-0000-7000-8000-000000000003")
const agentToken = Redacted.make(`sfc_${clusterId}_${"a".repeat(43)}`)
const digestOf = (n: number) => Digest.make(`sha256:${n.toString(16).padStart(64, "0")}`)
const commitOf = (n: number) => CommitSha.make(n.toString(16).padStart(40, "0"))
const deployOf = (n: number) => DeployId.make(`0198c0de-0000-7000-9000-${n.toString().padStart(12, "0")}`)

/** A commit whose number is odd builds; an even one fails. */
const script: Script = (spec) =>
  Number.parseInt(spec.gitSha, 16) % 2 === 1
    ? Effect.succeed({
        digest: digestOf(Number.parseInt(spec.gitSha, 16)),
        image: ImageReference.make(`local/app@${digestOf(Number.parseInt(spec.gitSha, 16))}`),
        processes: [{ name: ProcessName.make("web"), command: ["node", "server.js"] }],
        healthPath: null,
        durations: { queuedMs: 0, sourceMs: 0, installMs: 0, buildMs: 0, packageMs: 0, totalMs: 0 }
      })
    : Effect.fail(
        new BuildFailed({
          buildId: spec.buildId,
          code: "InstallFailed",
          reason: "npm ci ended with status 1",
          advice: "Run it on your machine.",
          output: ["npm error"]
        })
      )

const setUp = Effect.gen(function* () {
  const entities = yield* EntityClients
  const directory = yield* Directory
  const catalog = yield* ServiceCatalog
  const request = (name: string) => ({ requestId: RequestId.make(name), principal })
  yield* entities.cluster(clusterId, (cluster) =>
    cluster.RegisterCluster({
      ...request("register"),
      epoch: "0a0b0c0d",
      registration: {
        clusterId,
        name: Slug.make("local"),
        region: "here",
        agentTokenHash: hash(agentToken)
      }
    })
  )
  yield* entities.tenant(workspaceId, (tenant) =>
    tenant.CreateWorkspace({
      ...request("workspace"),
      workspace: { id: workspaceId, slug: Slug.make("acme"), displayName: "Acme" },
      token: { id: "first", hash: "0".repeat(64), canWrite: true }
    })
  )
  yield* entities.tenant(workspaceId, (tenant) =>
    tenant.CreateProject({
      ...request("project"),
      project: {
        id: projectId,
        workspaceId,
        slug: Slug.make("shop"),
        displayName: "Shop",
        clusterId,
        namespace: NamespaceName.make("proj-shop"),
        environments: [defaultEnvironment],
        services: []
      }
    })
  )
  const located = yield* directory.project(principal, Slug.make("acme"), Slug.make("shop"), "write")
  const service = yield* catalog.createService(located, principal, RequestId.make("service"), {
    slug: Slug.make("api"),
    type: "web"
  })
  return AppId.format({ projectId, environment: EnvironmentName.make("production"), serviceId: service.id })
})

const pull = Effect.fnUntraced(function* (known: string | null, waitSeconds: number) {
  const { publicUrl } = yield* StarbaseConfig
  const request = HttpClientRequest.get(`${publicUrl}/api/v1/clusters/${clusterId}/desired-state`).pipe(
    HttpClientRequest.bearerToken(agentToken),
    HttpClientRequest.setHeaders({
      prefer: `wait=${waitSeconds}`,
      ...(known === null ? {} : { "if-none-match": `"${known}"` })
    })
  )
  const response = yield* HttpClient.execute(request)
  if (response.status === 304) return Option.none<DesiredState>()
  assert.strictEqual(response.status, 200)
  return Option.some(yield* Schema.decodeUnknownEffect(DesiredStateSchema)(yield* response.json))
})

const report = Effect.fnUntraced(function* (observed: ObservedApp) {
  const { publicUrl } = yield* StarbaseConfig
  const body = yield* Schema.encodeEffect(StatusReport)({
    revision: null,
    apps: [observed],
    complete: false,
    agentVersion: "test"
  })
  const request = HttpClientRequest.post(`${publicUrl}/api/v1/clusters/${clusterId}/status`).pipe(
    HttpClientRequest.bearerToken(agentToken),
    HttpClientRequest.bodyJsonUnsafe(body)
  )
  const response = yield* HttpClient.execute(request)
  assert.strictEqual(response.status, 204)
})

const observedAs = (
  app: { readonly appId: AppId.AppId; readonly ordinal: number; readonly deployId: DeployId },
  phase: ObservedApp["phase"],
  reason: ObservedApp["reason"] = null
): ObservedApp => ({
  appId: app.appId,
  deployId: app.deployId,
  releaseId: null,
  ordinal: app.ordinal,
  phase,
  processes: [],
  reason,
  output: ["last line"]
})

const push = Effect.fnUntraced(function* (appId: AppId.AppId, n: number) {
  const entities = yield* EntityClients
  return yield* entities.app(appId, (app) =>
    app.AcceptPush({
      requestId: RequestId.make(deployOf(n)),
      principal,
      deployId: deployOf(n),
      commit: commitOf(n),
      ref: "refs/heads/main",
      source: digestOf(n),
      repository: "acme/shop/api",
      detached: false
    })
  )
})

const ended = (appId: AppId.AppId, deployId: DeployId) =>
  Effect.gen(function* () {
    const entities = yield* EntityClients
    let deploy: Deploy | undefined
    while (deploy === undefined || !isTerminal(deploy.phase)) {
      const phasesSeen: number = deploy?.phases.length ?? 0
      deploy = yield* entities.app(appId, (app) => app.AwaitDeploy({ deployId, phasesSeen, waitMs: 1000 }))
    }
    return deploy
  }).pipe(Effect.timeout("15 seconds"))

const appOf = (document: Option.Option<DesiredState>) => {
  const state = Option.getOrThrow(document)
  const app = state.kind === "full" ? state.apps[0] : state.changed[0]
  assert.isDefined(app)
  return { ...app!, revision: state.revision }
}

it.layer(StarbaseProcess.layer(script), {
  timeout: Duration.seconds(60),
  excludeTestServices: true
})("DeployJourney", (it) => {
  it.effect("walks a push to live, keeps the live release through failures, and rolls back", () =>
    Effect.gen(function* () {
      const entities = yield* EntityClients
      const appId = yield* setUp
      const empty = Option.getOrThrow(yield* pull(null, 0))
      assert.strictEqual(empty.kind, "full")

      const parked = yield* Effect.forkChild(pull(empty.revision, 20))
      yield* push(appId, 1)
      const first = appOf(yield* Fiber.join(parked))
      assert.strictEqual(first.deployId, deployOf(1))
      assert.strictEqual(first.image, `local/app@${digestOf(1)}`)
      assert.deepStrictEqual(first.hostnames, [Hostname.make("api-shop.test")])
      yield* report(observedAs(first, "progressing"))
      yield* report(observedAs(first, "available"))
      assert.strictEqual((yield* ended(appId, deployOf(1))).phase, "deployed")

      yield* push(appId, 2)
      const failedBuild = yield* ended(appId, deployOf(2))
      assert.strictEqual(failedBuild.phase, "failed")
      assert.strictEqual(failedBuild.failure?.code, "InstallFailed")
      assert.isTrue(Option.isNone(yield* pull(first.revision, 0)))

      yield* push(appId, 3)
      const third = appOf(yield* pull(first.revision, 10))
      assert.strictEqual(third.deployId, deployOf(3))
      yield* report(observedAs(third, "failed", { code: "WrongPort", message: "listens on 3000" }))
      const failedRollout = yield* ended(appId, deployOf(3))
      assert.strictEqual(failedRollout.failure?.code, "WrongPort")
      assert.deepStrictEqual(failedRollout.failure?.output, ["last line"])
      const restored = appOf(yield* pull(third.revision, 10))
      assert.strictEqual(restored.deployId, deployOf(1))
      assert.isAbove(restored.ordinal, third.ordinal)
      assert.strictEqual(restored.image, first.image)
      yield* report(observedAs(restored, "available"))

      yield* push(appId, 5)
      const fifth = appOf(yield* pull(restored.revision, 10))
      yield* report(observedAs(fifth, "available"))
      assert.strictEqual((yield* ended(appId, deployOf(5))).phase, "deployed")
      const rollback = yield* entities.app(appId, (app) =>
        app.RollBack({
          requestId: RequestId.make("rollback"),
          principal,
          deployId: deployOf(6),
          release: null
        })
      )
      assert.strictEqual(rollback.kind, "rollback")
      const back = appOf(yield* pull(fifth.revision, 10))
      assert.strictEqual(back.image, first.image)
      yield* report(observedAs(back, "available"))
      assert.strictEqual((yield* ended(appId, deployOf(6))).phase, "deployed")
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})
