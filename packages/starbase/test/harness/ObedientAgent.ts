/** An agent at the other end of the agents' HTTP contract: it pulls what is desired and reports what the test says of it. */
import { Effect, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import type { Redacted } from "effect"
import { type DesiredApp, DesiredState } from "@starform/domain/desired/DesiredState"
import type { ClusterId } from "@starform/domain/ids/Ids"
import { type ObservedApp, StatusReport } from "@starform/domain/observed/ObservedApp"

export interface AgentAccess {
  readonly url: string
  readonly clusterId: ClusterId
  readonly token: Redacted.Redacted<string>
}

/** What the cluster makes of an app: how far its release gets. */
export type Verdict = (app: DesiredApp) => Pick<ObservedApp, "phase" | "reason" | "output">

export const healthy: Verdict = () => ({ phase: "available", reason: null, output: [] })

const observe = (app: DesiredApp, verdict: Verdict): ObservedApp => {
  const seen = verdict(app)
  return {
    appId: app.appId,
    deployId: app.deployId,
    releaseId: app.releaseId,
    ordinal: app.ordinal,
    processes: app.processes.map(({ name, replicas }) => ({
      name,
      desiredReplicas: replicas,
      readyReplicas: seen.phase === "available" ? replicas : 0,
      updatedReplicas: replicas
    })),
    ...seen
  }
}

const pull = Effect.fnUntraced(function* (access: AgentAccess, known: string | undefined) {
  const request = HttpClientRequest.get(
    `${access.url}/api/v1/clusters/${access.clusterId}/desired-state`
  ).pipe(
    HttpClientRequest.bearerToken(access.token),
    HttpClientRequest.setHeaders({
      prefer: "wait=5",
      ...(known === undefined ? {} : { "if-none-match": `"${known}"` })
    })
  )
  const response = yield* HttpClient.execute(request)
  return response.status === 200
    ? yield* Schema.decodeUnknownEffect(DesiredState)(yield* response.json)
    : undefined
})

const report = Effect.fnUntraced(function* (access: AgentAccess, apps: ReadonlyArray<ObservedApp>) {
  const body = yield* Schema.encodeEffect(StatusReport)({
    revision: null,
    apps,
    complete: false,
    agentVersion: "test"
  })
  yield* HttpClient.execute(
    HttpClientRequest.post(`${access.url}/api/v1/clusters/${access.clusterId}/status`).pipe(
      HttpClientRequest.bearerToken(access.token),
      HttpClientRequest.bodyJsonUnsafe(body)
    )
  )
})

/** Obeys until it is interrupted. */
export const run = Effect.fnUntraced(function* (access: AgentAccess, verdict: Verdict = healthy) {
  let known: string | undefined
  while (true) {
    const desired = yield* pull(access, known)
    if (desired === undefined) continue
    known = desired.revision
    const apps = desired.kind === "full" ? desired.apps : desired.changed
    if (apps.length > 0) {
      yield* report(
        access,
        apps.map((app) => observe(app, verdict))
      )
    }
  }
})
