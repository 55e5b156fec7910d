/** A Starbase to push to: workspaces, a project and an obedient cluster, and builds that end as the test says. */
import { Deferred, Effect, Layer, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { SqlClient } from "effect/sql"
import { CommitSha, Digest, ImageReference } from "@starform/domain/ids/Digest"
import { ProcessName, Slug } from "@starform/domain/ids/Slug"
import { type Deploy, isTerminal } from "@starform/domain/model/Deploy"
import { BuildFailed } from "@starform/starbase/builds/BuildErrors"
import type { BuildSpec } from "@starform/starbase/builds/BuildSpec"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import { StarbaseConfig } from "@starform/starbase/StarbaseConfig"
import * as ApiWorld from "./ApiWorld.ts"
import { type GitClone, until } from "./GitClone.ts"
import * as ObedientAgent from "./ObedientAgent.ts"
import type { Script } from "./ScriptedBuilder.ts"

const built = (spec: BuildSpec) => {
  const digest = Digest.make(`sha256:${spec.gitSha.padEnd(64, "0")}`)
  return {
    digest,
    image: ImageReference.make(`local/app@${digest}`),
    processes: [{ name: ProcessName.make("web"), command: ["node", "server.js"] }],
    healthPath: null,
    durations: { queuedMs: 0, sourceMs: 0, installMs: 0, buildMs: 0, packageMs: 0, totalMs: 0 }
  }
}

const failed = (spec: BuildSpec, reason: string) =>
  new BuildFailed({
    buildId: spec.buildId,
    code: "InstallFailed",
    reason,
    advice: "Run it on your machine.",
    output: ["npm error code 1"]
  })

/** Builds of one test file, by commit; what is not told otherwise succeeds at once. */
export class Builds {
  private readonly scripts = new Map<string, Script>()
  /** Commits in the order in which their builds began. */
  readonly begun: Array<string> = []

  readonly script: Script = (spec, print) =>
    Effect.suspend(() => {
      this.begun.push(spec.gitSha)
      return this.scripts.get(spec.gitSha)?.(spec, print) ?? Effect.succeed(built(spec))
    })

  /** The build of this commit prints a line, and ends when the answered effect has run. */
  hold(commit: string): Effect.Effect<void> {
    return this.gate(commit, (spec) => Effect.succeed(built(spec)))
  }

  /** Like `hold`, but the build ends badly. */
  holdThenFail(commit: string, reason: string): Effect.Effect<void> {
    return this.gate(commit, (spec) => Effect.fail(failed(spec, reason)))
  }

  private gate(commit: string, end: Script): Effect.Effect<void> {
    const gate = Deferred.makeUnsafe<void>()
    this.scripts.set(commit, (spec, print) =>
      print("a step that takes long").pipe(
        Effect.andThen(Deferred.await(gate)),
        Effect.andThen(end(spec, print))
      )
    )
    return Effect.asVoid(Deferred.succeed(gate, undefined))
  }

  /** @param warnings of the builder, in its log, last */
  fail(commit: string, reason: string, warnings: ReadonlyArray<string> = []): void {
    this.scripts.set(commit, (spec, print) =>
      Effect.andThen(
        Effect.andThen(
          print("npm error code 1"),
          Effect.forEach(warnings, (text) => print(text, "warning"), { discard: true })
        ),
        failed(spec, reason)
      )
    )
  }
}

/** The agent of the cluster, as long as the scope is open. */
const agent = Effect.gen(function* () {
  const url = yield* ApiWorld.baseUrl
  const access = { url, clusterId: ApiWorld.clusterId, token: ApiWorld.agentToken }
  yield* Effect.forkScoped(ObedientAgent.run(access))
})

/** On a Starbase that is new. */
export const layerNew = Layer.effectDiscard(Effect.andThen(ApiWorld.setUp, agent)).pipe(
  Layer.provideMerge(FetchHttpClient.layer)
)

/** On one that was set up before. */
export const layerAgain = Layer.effectDiscard(agent).pipe(Layer.provideMerge(FetchHttpClient.layer))

export interface RemoteName {
  readonly workspace?: string
  readonly project?: string
  readonly token?: Redacted.Redacted<string> | null
}

/** Git's URL of a service, with the token in it. */
export const remoteOf = (service: string, name: RemoteName = {}) =>
  Effect.map(StarbaseConfig, ({ publicUrl }) => {
    const { workspace = "acme", project = "shop", token = ApiWorld.workspaceToken } = name
    const url = new URL(`/git/${workspace}/${project}/${service}.git`, publicUrl)
    if (token !== null) {
      url.username = "token"
      url.password = Redacted.value(token)
    }
    return url.href
  })

/** Deploys of a service in production, oldest first. */
export const deploysOf = Effect.fnUntraced(function* (service: string) {
  const appId = yield* ApiWorld.appIdOf({ ...ApiWorld.app, service: Slug.make(service) })
  const entities = yield* EntityClients
  const { deploys } = yield* entities.app(appId, (app) => app.GetApp())
  return deploys
})

export const deployOf = (service: string, commit: string) =>
  Effect.map(deploysOf(service), (deploys) => deploys.findLast((deploy) => deploy.commit === commit))

/** The deploy of a commit when it has ended. */
export const endOf = (service: string, commit: string) =>
  until(
    `deploy of ${commit} ends`,
    deployOf(service, commit),
    (deploy: Deploy | undefined) => deploy !== undefined && isTerminal(deploy.phase)
  )

/** Where a branch of the remote points; `null` when there is none. */
export const branchAt = (clone: GitClone, remote: string, branch = "main") =>
  Effect.map(clone.git("ls-remote", remote, `refs/heads/${branch}`), (line) =>
    line === "" ? null : CommitSha.make(line.slice(0, 40))
  )

/** Commits of all accept events in the journal. */
export const acceptedCommits = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ readonly commit: string }>`
    SELECT event->>'commit' AS commit FROM journal
    WHERE entity_type = 'App' AND event->>'_tag' = 'DeployRequested'`
  return rows.map(({ commit }) => commit)
})
