import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Duration, Effect, Layer, Redacted, Schedule, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { ClusterId, DeployId, RequestId, WorkspaceId } from "@starform/domain/ids/Ids"
import * as Revision from "@starform/domain/ids/Revision"
import { EnvironmentName, ProcessName, Slug, VariableName } from "@starform/domain/ids/Slug"
import { PublicRpcs } from "@starform/domain/protocol/PublicRpcs"
import type { StarformClient } from "@starform/domain/protocol/StarformClient"
import { StarbaseConfig } from "@starform/starbase/StarbaseConfig"
import { hash } from "@starform/starbase/security/Token"
import {
  agentToken,
  app,
  appIdOf,
  clientOf,
  clusterId,
  commitOf,
  deployOf,
  digestOf,
  endless,
  ended,
  push,
  requestId,
  script,
  setUp,
  strangerToken,
  workspaceId,
  workspaceToken
} from "../harness/ApiWorld.ts"
import * as ObedientAgent from "../harness/ObedientAgent.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"

/** Names of the RPCs that were called. */
const called = new Set<string>()

const recording = (client: StarformClient): StarformClient =>
  new Proxy(client, {
    get: (target, name) => {
      called.add(String(name))
      return Reflect.get(target, name)
    }
  })

const owner = Effect.map(clientOf(workspaceToken), recording)
const operator = Effect.map(clientOf(StarbaseProcess.operatorToken), recording)
const stranger = clientOf(strangerToken)

const agent = Effect.gen(function* () {
  const { publicUrl } = yield* StarbaseConfig
  yield* Effect.forkScoped(ObedientAgent.run({ url: publicUrl, clusterId, token: agentToken }))
})

const missing = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), ({ _tag }) => assert.strictEqual(_tag, "NotFound"))

/** Every row of every table, as text. */
const everyRow = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  const tables = yield* sql<{ name: string }>`
    SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`
  const rows = yield* Effect.forEach(tables, ({ name }) =>
    sql.unsafe<{ text: string }>(`SELECT row_to_json(t)::text AS text FROM "${name}" t`)
  )
  return rows.flat().map(({ text }) => text)
})

const everyFile = (folder: string): ReadonlyArray<Buffer> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((file) => statSync(file).isFile())
    .map((file) => readFileSync(file))

const layer = StarbaseProcess.layer(script).pipe(Layer.provideMerge(FetchHttpClient.layer))

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("PublicApi", (it) => {
  it.effect("creates and lists workspaces, projects, environments and services", () =>
    Effect.gen(function* () {
      yield* setUp
      const client = yield* owner
      yield* client.CreateEnvironment({
        requestId: requestId(),
        workspace: app.workspace,
        project: app.project,
        name: EnvironmentName.make("staging"),
        branch: "staging",
        isProtected: false,
        isEphemeral: false
      })
      yield* client.CreateService({
        requestId: requestId(),
        workspace: app.workspace,
        project: app.project,
        slug: Slug.make("jobs"),
        type: "worker"
      })
      const projects = yield* client.ListProjects({ workspace: app.workspace })
      assert.deepStrictEqual(
        projects.map(({ slug, environments, services }) => ({
          slug: String(slug),
          environments: environments.map(({ name }) => String(name)),
          services: services.map(({ slug }) => String(slug))
        })),
        [{ slug: "shop", environments: ["production", "staging"], services: ["api", "jobs"] }]
      )
      const workspaces = yield* client.ListWorkspaces()
      assert.deepStrictEqual(
        workspaces.map(({ slug }) => String(slug)),
        ["acme"]
      )
      const all = yield* (yield* operator).ListWorkspaces()
      assert.deepStrictEqual(
        all.map(({ slug }) => String(slug)),
        ["acme", "globex"]
      )
    })
  )

  it.effect("registers and shows clusters, and lists to a workspace the ones it is on", () =>
    Effect.gen(function* () {
      const cluster = yield* (yield* operator).GetCluster({ clusterId })
      assert.strictEqual(String(cluster.name), "local")
      const local = { id: clusterId, name: Slug.make("local"), region: "here" }
      assert.deepStrictEqual(yield* (yield* owner).ListClusters(), [local])
      assert.deepStrictEqual(yield* (yield* operator).ListClusters(), [local])
      assert.deepStrictEqual(yield* (yield* stranger).ListClusters(), [])
      const refused = yield* Effect.flip((yield* owner).GetCluster({ clusterId }))
      assert.strictEqual(refused._tag, "Forbidden")
      const confirmation = { requestId: requestId(), clusterId }
      const confirmed = yield* (yield* operator).ConfirmMassPrune(confirmation)
      assert.strictEqual(confirmed.revision, cluster.revision, "nothing waits for it, so nothing changes")
      const unasked = yield* Effect.flip((yield* owner).ConfirmMassPrune(confirmation))
      assert.strictEqual(unasked._tag, "Forbidden")
    })
  )

  it.effect("issues join tokens, rotates and revokes an agent's credential, for operators only", () =>
    Effect.gen(function* () {
      const client = yield* operator
      const customer = ClusterId.make("0198c0de-0000-7000-8000-0000000000c2")
      const about = { requestId: requestId(), clusterId: customer }
      yield* client.RegisterCluster({ ...about, name: Slug.make("customer"), region: "there" })
      const token = { ...about, requestId: requestId(), joinTokenHash: "ab".repeat(32) }
      const issued = yield* client.IssueJoinToken(token)
      assert.deepInclude(issued.credential, { state: "none", rotationAsked: false })
      assert.deepStrictEqual((yield* client.IssueJoinToken(token)).credential, issued.credential)
      const early = yield* Effect.flip(client.RotateAgentCredential({ ...about, requestId: requestId() }))
      assert.strictEqual(early._tag, "InvalidInput")
      const revoked = yield* client.RevokeAgentCredential({ ...about, requestId: requestId() })
      assert.isNull(revoked.credential?.joinTokenUntilMs ?? null)
      const nowhere = { ...about, clusterId: ClusterId.make("0198c0de-0000-7000-8000-0000000000ff") }
      yield* missing(client.IssueJoinToken({ ...token, ...nowhere, requestId: requestId() }))
      yield* missing(client.RevokeAgentCredential({ ...nowhere, requestId: requestId() }))
      const other = yield* owner
      for (const refused of [
        Effect.flip(other.IssueJoinToken(token)),
        Effect.flip(other.RotateAgentCredential(about)),
        Effect.flip(other.RevokeAgentCredential(about))
      ]) {
        assert.strictEqual((yield* refused)._tag, "Forbidden")
      }
    })
  )

  it.effect("renews and confirms the epoch of a cluster, for operators only", () =>
    Effect.gen(function* () {
      const client = yield* operator
      const before = yield* client.GetCluster({ clusterId })
      assert.isTrue(before.epochConfirmed)
      const renewal = { requestId: requestId(), clusterId }
      const renewed = yield* client.RenewEpoch(renewal)
      const [past, epoch] = [before, renewed].map(({ revision }) => Revision.parse(revision).epoch)
      assert.notStrictEqual(epoch, past)
      assert.isFalse(renewed.epochConfirmed)
      assert.strictEqual((yield* client.RenewEpoch(renewal)).revision, renewed.revision)
      const late = client.ConfirmEpoch({ requestId: requestId(), clusterId, epoch: past! })
      assert.strictEqual((yield* Effect.flip(late))._tag, "InvalidInput")
      const confirmation = { requestId: requestId(), clusterId, epoch: epoch! }
      assert.isTrue((yield* client.ConfirmEpoch(confirmation)).epochConfirmed)
      const unknown = ClusterId.make("0198c0de-0000-7000-8000-0000000000ff")
      const nowhere = yield* Effect.flip(client.RenewEpoch({ ...renewal, clusterId: unknown }))
      assert.deepInclude(nowhere, { _tag: "NotFound", name: unknown })
      const other = yield* owner
      assert.strictEqual((yield* Effect.flip(other.RenewEpoch(renewal)))._tag, "Forbidden")
      assert.strictEqual((yield* Effect.flip(other.ConfirmEpoch(confirmation)))._tag, "Forbidden")
    })
  )

  it.effect(
    "keeps settings for the first deploy while nothing is live, and says so where that is no answer",
    () =>
      Effect.gen(function* () {
        const client = yield* owner
        const process = ProcessName.make("worker")
        assert.isNull(yield* client.SetScale({ app, requestId: requestId(), process, replicas: 2 }))
        const health = { path: null, startupSeconds: 30 }
        assert.isNull(yield* client.SetHealthCheck({ app, requestId: requestId(), health }))
        const autoscaling = { minReplicas: 2, maxReplicas: 9, cpuPercent: 70, memoryPercent: null }
        assert.isNull(yield* client.SetAutoscaling({ app, requestId: requestId(), process, autoscaling }))
        const scaled = yield* client.GetAppStatus({ app })
        assert.deepStrictEqual(scaled.autoscaling, [{ process, ...autoscaling }])
        assert.deepInclude(scaled.scale, { process, replicas: 2 })
        const both = yield* Effect.flip(
          client.SetScale({ app, requestId: requestId(), process, replicas: 1 })
        )
        assert.strictEqual(both._tag, "InvalidInput")
        assert.isNull(
          yield* client.SetAutoscaling({ app, requestId: requestId(), process, autoscaling: null })
        )
        assert.notProperty(yield* client.GetAppStatus({ app }), "autoscaling")
        const schedule = { expression: "@daily", timeZone: null, concurrency: "forbid" as const }
        const refused = yield* Effect.flip(client.SetSchedule({ app, requestId: requestId(), schedule }))
        assert.strictEqual(refused._tag, "InvalidInput")
        const restart = yield* Effect.flip(client.Restart({ app, requestId: requestId() }))
        assert.strictEqual(restart._tag, "NothingLive")
        const rollback = yield* Effect.flip(client.RollBack({ app, requestId: requestId(), release: null }))
        assert.strictEqual(rollback._tag, "NoEarlierRelease")
      })
  )

  it.effect("shows a push from its log to live, and the way back", () =>
    Effect.gen(function* () {
      yield* agent
      const client = yield* owner
      yield* push(1)
      const log = yield* client
        .FollowBuildLog({ app, deployId: deployOf(1), fromChunk: 1, follow: true })
        .pipe(
          Stream.map(({ text }) => text),
          Stream.runCollect
        )
      assert.deepStrictEqual(log, ["installing for commit 1", "built"])
      assert.strictEqual((yield* ended(client, deployOf(1))).phase, "deployed")

      yield* push(3)
      assert.strictEqual((yield* ended(client, deployOf(3))).phase, "deployed")
      const status = yield* client.GetAppStatus({ app })
      assert.strictEqual(status.live?.number, 2)
      assert.strictEqual(status.observed?.phase, "available")
      assert.isTrue(status.observed?.isOfLive)
      assert.deepStrictEqual(status.urls, ["http://api-shop.test"])
      assert.deepStrictEqual(
        status.observed?.processes.map(({ name, readyReplicas }) => [String(name), readyReplicas]),
        [
          ["web", 1],
          ["worker", 2]
        ]
      )

      const back = yield* client.RollBack({ app, requestId: requestId(), release: null })
      assert.strictEqual(back.kind, "rollback")
      assert.strictEqual((yield* ended(client, back.id)).phase, "deployed")
      const after = yield* client.GetAppStatus({ app })
      assert.strictEqual(after.live?.digest, digestOf(1))
      const forth = yield* client.RollBack({ app, requestId: requestId(), release: 2 })
      assert.strictEqual((yield* ended(client, forth.id)).phase, "deployed")

      const restart = yield* client.Restart({ app, requestId: requestId() })
      assert.strictEqual((yield* ended(client, restart.id)).phase, "deployed")
      const releases = yield* client.ListReleases({ app })
      assert.deepStrictEqual(
        releases.map(({ number }) => number),
        [2, 1]
      )
      const deploys = yield* client.ListDeploys({ app })
      assert.deepStrictEqual(
        deploys.map(({ kind }) => kind),
        ["restart", "rollback", "rollback", "push", "push"]
      )
      const ofRestart = yield* client
        .FollowBuildLog({ app, deployId: restart.id, fromChunk: 1, follow: false })
        .pipe(
          Stream.map(({ text }) => text),
          Stream.runCollect
        )
      assert.deepStrictEqual(ofRestart, ["installing for commit 3", "built"])
    })
  )

  it.effect("shows the log of a build that failed, and none of a deploy that never was", () =>
    Effect.gen(function* () {
      const client = yield* owner
      yield* push(4)
      const log = yield* client.FollowBuildLog({ app, deployId: null, fromChunk: 1, follow: true }).pipe(
        Stream.map(({ text }) => text),
        Stream.runCollect
      )
      assert.deepStrictEqual(log, ["installing for commit 4", "npm error"])
      const failed = yield* ended(client, deployOf(4))
      assert.strictEqual(failed.failure?.code, "InstallFailed")
      const late = yield* Effect.flip(
        client.CancelDeploy({ app, requestId: requestId(), deployId: deployOf(4) })
      )
      assert.strictEqual(late._tag, "DeployEnded")
      const unknown = { app, deployId: deployOf(99), fromChunk: 1, follow: true }
      yield* missing(client.FollowBuildLog(unknown).pipe(Stream.runDrain))
    })
  )

  it.effect("INV-API-3 keeps the values of variables out of everything that is stored", () =>
    Effect.gen(function* () {
      yield* agent
      const client = yield* owner
      const secret = "correct-horse-battery-staple"
      const plain = "eu-central-1-and-nowhere-else"
      const id = requestId()
      const change = {
        app,
        requestId: id,
        set: [
          { key: VariableName.make("DATABASE_URL"), value: secret, secret: true },
          { key: VariableName.make("REGION"), value: plain, secret: false }
        ],
        unset: []
      }
      const deploy = yield* client.SetVariables(change)
      assert.strictEqual(deploy?.kind, "configure")
      assert.strictEqual((yield* client.SetVariables(change))?.id, deploy?.id)
      yield* ended(client, deploy?.id ?? DeployId.make(""))
      assert.deepStrictEqual(yield* client.ListVariables({ app }), [
        { key: VariableName.make("DATABASE_URL"), value: null, secret: true },
        { key: VariableName.make("REGION"), value: plain, secret: false }
      ])

      const rows = yield* everyRow
      assert.isTrue(rows.some((row) => row.includes("DATABASE_URL")))
      const { dataDirectory } = yield* StarbaseConfig
      const files = everyFile(dataDirectory)
      assert.isAbove(files.length, 0)
      for (const value of [secret, plain]) {
        const forms = (["utf8", "hex", "base64"] as const).map((form) =>
          Buffer.from(value).toString(form).replace(/=+$/, "")
        )
        for (const form of forms) {
          assert.isFalse(rows.some((row) => row.includes(form)))
          assert.isFalse(files.some((file) => file.includes(form)))
        }
      }

      const unset = yield* client.SetVariables({
        app,
        requestId: requestId(),
        set: [],
        unset: [VariableName.make("DATABASE_URL")]
      })
      assert.isNotNull(unset)
      assert.deepStrictEqual(
        (yield* client.ListVariables({ app })).map(({ key }) => String(key)),
        ["REGION"]
      )
      const reused = yield* Effect.flip(client.SetVariables({ ...change, set: [] }))
      assert.strictEqual(reused._tag, "RequestIdReused")
    })
  )

  it.effect("hands on lines while the build runs, and ends the log with the deploy", () =>
    Effect.gen(function* () {
      const client = yield* owner
      yield* push(endless)
      const cancel = client.CancelDeploy({ app, requestId: requestId(), deployId: deployOf(endless) })
      const lines = yield* client
        .FollowBuildLog({ app, deployId: deployOf(endless), fromChunk: 1, follow: true })
        .pipe(
          Stream.tap(() => cancel),
          Stream.map(({ text }) => text),
          Stream.runCollect,
          Effect.timeout("20 seconds")
        )
      assert.deepStrictEqual(lines, [`installing for commit ${endless}`])
    })
  )

  it.effect("cancels a deploy that runs", () =>
    Effect.gen(function* () {
      const client = yield* owner
      const { id } = yield* client.Restart({ app, requestId: requestId() })
      const cancelled = yield* client.CancelDeploy({ app, requestId: requestId(), deployId: id })
      assert.strictEqual(cancelled.phase, "cancelled")
    })
  )

  it.effect("INV-API-2 answers a stranger as if nothing were there, whatever is asked", () =>
    Effect.gen(function* () {
      const client = yield* stranger
      const nowhere = { ...app, service: Slug.make("nowhere") }
      const own = yield* owner
      const unknown = yield* Effect.flip(own.GetAppStatus({ app: nowhere }))
      assert.strictEqual(unknown._tag, "NotFound")
      const mutation = { app, requestId: requestId() }
      const { workspace, project } = app
      yield* missing(client.GetAppStatus({ app }))
      yield* missing(client.ListReleases({ app }))
      yield* missing(client.ListDeploys({ app }))
      yield* missing(client.ListVariables({ app }))
      yield* missing(client.RollBack({ ...mutation, release: null }))
      yield* missing(client.Restart(mutation))
      yield* missing(client.SetScale({ ...mutation, process: ProcessName.make("web"), replicas: 0 }))
      yield* missing(client.SetHealthCheck({ ...mutation, health: { path: null, startupSeconds: 1 } }))
      const schedule = { expression: "@daily", timeZone: null, concurrency: "forbid" as const }
      yield* missing(client.SetSchedule({ ...mutation, schedule }))
      yield* missing(
        client.SetAutoscaling({ ...mutation, process: ProcessName.make("web"), autoscaling: null })
      )
      yield* missing(client.SetVariables({ ...mutation, set: [], unset: [] }))
      yield* missing(client.CancelDeploy({ ...mutation, deployId: deployOf(1) }))
      yield* missing(client.AwaitDeploy({ app, deployId: deployOf(1), phasesSeen: 0 }))
      yield* missing(
        client
          .FollowBuildLog({ app, deployId: deployOf(1), fromChunk: 1, follow: false })
          .pipe(Stream.runDrain)
      )
      yield* missing(client.ListProjects({ workspace }))
      yield* missing(
        client.CreateService({
          requestId: requestId(),
          workspace,
          project,
          slug: Slug.make("x1"),
          type: "web"
        })
      )
      const appId = yield* appIdOf(app)
      yield* missing(client.InspectEntity({ type: "App", id: appId, sequence: null }))
      yield* missing(own.ReadJournal({ type: "App", id: appId, afterSequence: 0, limit: 1 }))
      const refused = yield* Effect.flip(
        client.CreateWorkspace({
          requestId: requestId(),
          id: WorkspaceId.make("0198c0de-0000-7000-8000-00000000000f"),
          slug: Slug.make("mine"),
          displayName: "",
          tokenHash: "0".repeat(64)
        })
      )
      assert.strictEqual(refused._tag, "Forbidden")
    })
  )

  it.effect("INV-OPR-2 shows operators any entity, then and now, without its secrets", () =>
    Effect.gen(function* () {
      const client = yield* operator
      const id = yield* appIdOf(app)
      const now = yield* client.InspectEntity({ type: "App", id, sequence: null })
      const first = yield* client.InspectEntity({ type: "App", id, sequence: 1 })
      assert.isAbove(now.sequence, first.sequence)
      const journal = yield* client.ReadJournal({ type: "App", id, afterSequence: 0, limit: 500 })
      assert.strictEqual(journal.length, now.sequence)
      const cluster = yield* client.InspectEntity({ type: "Cluster", id: clusterId, sequence: null })
      const tenant = yield* client.InspectEntity({ type: "Tenant", id: workspaceId, sequence: null })
      const shown = JSON.stringify([now, journal, cluster, tenant])
      assert.include(shown, "REGION")
      assert.notInclude(shown, "sealed")
      for (const token of [workspaceToken, agentToken]) assert.notInclude(shown, hash(token))
    })
  )

  it.effect("shows operators what an entity does, and rereads it", () =>
    Effect.gen(function* () {
      const client = yield* operator
      const id = yield* appIdOf(app)
      const stored = yield* client.InspectEntity({ type: "App", id, sequence: null })
      yield* client.ListDeploys({ app })
      const entity = yield* client.InspectActivity({ type: "App", id })
      assert.deepInclude(entity, { type: "App", id, shardGroup: "default", status: "resident" })
      assert.strictEqual(entity.incarnation?.sequence, stored.sequence)
      const passivated = yield* client.PassivateEntity({ requestId: requestId(), type: "App", id })
      assert.deepStrictEqual(passivated, { sequence: stored.sequence })
      const early = yield* Effect.flip(client.InspectEntity({ type: "App", id, sequence: null, atMs: 1 }))
      assert.strictEqual(early._tag, "NotFound")
      const both = yield* Effect.flip(client.InspectEntity({ type: "App", id, sequence: 1, atMs: 1 }))
      assert.strictEqual(both._tag, "InvalidInput")
    })
  )

  it.effect(
    "shows operators runners, their shards and moves, and drains nobody whom no one could replace",
    () =>
      Effect.gen(function* () {
        const client = yield* operator
        const { runnerPort } = yield* StarbaseConfig
        const address = `127.0.0.1:${runnerPort}`
        const runners = yield* client.ListRunners().pipe(
          Effect.repeat({
            until: ([only]) => only?.shards.length === 2,
            schedule: Schedule.spaced("50 millis")
          }),
          Effect.timeout("10 seconds")
        )
        assert.strictEqual(runners.length, 1)
        assert.deepInclude(runners[0], { address, healthy: true, drained: false })
        const moves = yield* client.ListShardMoves({ before: null, limit: 10 })
        assert.includeMembers(
          moves.map(({ kind, runner }) => `${kind} ${runner}`),
          [`acquired ${address}`, `joined ${address}`]
        )
        const refused = yield* Effect.flip(
          client.DrainRunner({ requestId: requestId(), address, drained: true })
        )
        assert.deepInclude(refused, { _tag: "InvalidInput", field: "address" })
        yield* missing(client.DrainRunner({ requestId: requestId(), address: "127.0.0.1:1", drained: true }))
        const kept = yield* client.DrainRunner({ requestId: requestId(), address, drained: false })
        assert.isFalse(kept.drained)
      })
  )

  it.effect("tells operators and the owner why a deploy is not live, and lets operators end it", () =>
    Effect.gen(function* () {
      const client = yield* operator
      const appId = yield* appIdOf(app)
      const { id } = yield* (yield* owner).Restart({ app, requestId: requestId() })
      const [deploy] = yield* client.ListRunningDeploys().pipe(
        Effect.repeat({
          until: ([first]) => first?.phase === "deploying" && first.workflow === "waiting",
          schedule: Schedule.spaced("50 millis")
        }),
        Effect.timeout("15 seconds")
      )
      assert.deepInclude(deploy, { appId, deployId: id, kind: "restart", build: null })
      const inside = yield* client.DiagnoseApp({ appId })
      assert.deepInclude(inside, { appId, verdict: "underway" })
      const steps = inside.journey.map(({ step, state }) => `${step} ${state}`)
      assert.includeMembers(steps, ["accepted done", "building skipped", "built done", "live ahead"])
      const told = yield* (yield* owner).ExplainApp({ app })
      assert.strictEqual(told.verdict, "underway")
      assert.isNotEmpty(told.findings)
      yield* missing((yield* stranger).ExplainApp({ app }))
      yield* client.RetryDeploy({ requestId: requestId(), deployId: id })
      const stopped = yield* client.StopDeploy({ requestId: requestId(), deployId: id })
      assert.strictEqual(stopped.phase, "cancelled")
      const again = yield* Effect.flip(client.RetryDeploy({ requestId: requestId(), deployId: id }))
      assert.strictEqual(again._tag, "DeployEnded")
      yield* missing(client.StopDeploy({ requestId: requestId(), deployId: deployOf(999_999) }))
      const journal = yield* client.ReadJournal({ type: "App", id: appId, afterSequence: 0, limit: 500 })
      assert.strictEqual(
        journal.find(
          ({ event }) =>
            JSON.stringify(event).includes("DeployCancelled") && JSON.stringify(event).includes(id)
        )?.actor,
        "operator"
      )
      assert.isArray(yield* client.ListOutbox({ limit: 10 }))
    })
  )

  it.effect("INV-OPR-4 audits each look and action of an operator with its outcome", () =>
    Effect.gen(function* () {
      const client = yield* operator
      const unknown = "0198c0de-0000-7000-8000-00000000dead"
      yield* missing(client.PassivateEntity({ requestId: requestId(), type: "Cluster", id: unknown }))
      yield* client.InspectActivity({ type: "Cluster", id: clusterId })
      const [reading, look, action] = yield* client.ReadAudit({ before: null, limit: 3 })
      const strip = (entry: typeof look) => ({ ...entry, id: 0, atMs: 0 })
      const line = { id: 0, atMs: 0, actor: "operator" }
      assert.deepStrictEqual(strip(reading), { ...line, action: "audit", target: "", outcome: "begun" })
      const target = `Cluster ${clusterId}`
      assert.deepStrictEqual(strip(look), { ...line, action: "activity", target, outcome: "done" })
      assert.deepStrictEqual(strip(action), {
        ...line,
        action: "passivate",
        target: `Cluster ${unknown}`,
        outcome: "NotFound"
      })
      const older = yield* client.ReadAudit({ before: action!.id, limit: 500 })
      assert.isNotEmpty(older)
      assert.isTrue(older.every(({ id }) => id < action!.id))
    })
  )

  it.effect("INV-OPR-1 shows others nothing of the operators' desk", () =>
    Effect.gen(function* () {
      const appId = yield* appIdOf(app)
      const mutation = { requestId: requestId() }
      const audited = yield* (yield* operator).ReadAudit({ before: null, limit: 1 })
      for (const client of [yield* stranger, yield* owner]) {
        yield* missing(client.InspectActivity({ type: "App", id: appId }))
        yield* missing(client.ListRunners())
        yield* missing(client.ListShardMoves({ before: null, limit: 1 }))
        yield* missing(client.ListRunningDeploys())
        yield* missing(client.ListOutbox({ limit: 1 }))
        yield* missing(client.DiagnoseApp({ appId }))
        yield* missing(client.PassivateEntity({ ...mutation, type: "App", id: appId }))
        yield* missing(client.DrainRunner({ ...mutation, address: "127.0.0.1:1", drained: true }))
        yield* missing(client.RetryDeploy({ ...mutation, deployId: deployOf(1) }))
        yield* missing(client.StopDeploy({ ...mutation, deployId: deployOf(1) }))
        yield* missing(client.ReadAudit({ before: null, limit: 1 }))
      }
      const after = yield* (yield* operator).ReadAudit({ before: null, limit: 1 })
      assert.strictEqual(after[0]?.id, (audited[0]?.id ?? 0) + 1, "who sees nothing leaves no line")
    })
  )

  it.effect("answers any token that nobody issued alike", () =>
    Effect.gen(function* () {
      const wrong = [
        `sfw_${workspaceId}_${"x".repeat(43)}`,
        `sfw_0198c0de-0000-7000-8000-0000000000ff_${"w".repeat(43)}`,
        `sfo_${"x".repeat(43)}`,
        Redacted.value(agentToken),
        "nonsense"
      ]
      for (const token of wrong) {
        const client = yield* clientOf(Redacted.make(token))
        const read = yield* Effect.flip(client.GetAppStatus({ app }))
        assert.strictEqual(read._tag, "Unauthenticated")
        const log = client.FollowBuildLog({ app, deployId: null, fromChunk: 1, follow: true })
        const streamed = yield* Effect.flip(Stream.runDrain(log))
        assert.strictEqual(streamed._tag, "Unauthenticated")
      }
    })
  )

  it.effect("answers a repeated creation with what the first one made", () =>
    Effect.gen(function* () {
      const client = yield* owner
      const wanted = {
        requestId: RequestId.make("once"),
        workspace: app.workspace,
        slug: Slug.make("blog"),
        displayName: "Blog",
        clusterId
      }
      const first = yield* client.CreateProject(wanted)
      assert.deepStrictEqual(yield* client.CreateProject(wanted), first)
      const taken = yield* Effect.flip(client.CreateProject({ ...wanted, requestId: requestId() }))
      assert.strictEqual(taken._tag, "NameTaken")
      assert.strictEqual((yield* client.ListReleases({ app }))[0]?.provenance.gitSha, commitOf(3))
    })
  )

  it("has called every public RPC", () => {
    const setUpCalls = ["RegisterCluster", "CreateWorkspace", "CreateProject", "CreateService"]
    const all = new Set([...called, ...setUpCalls])
    assert.deepStrictEqual(
      [...PublicRpcs.requests.keys()].filter((name) => !all.has(name)),
      []
    )
  })
})
