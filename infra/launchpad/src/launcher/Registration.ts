/** The operator's calls that make a fresh platform usable: cluster, workspace, project. Repeating them changes nothing (INV-LCH-3). */
import { createHash } from "node:crypto"
import { RequestId } from "@starform/domain/ids/Ids"
import { EnvironmentName, Slug } from "@starform/domain/ids/Slug"
import type { StarformClient } from "@starform/domain/protocol/StarformClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { LaunchSecrets } from "./LaunchSecrets.ts"

/** What the local platform calls its things. */
export const names = {
  cluster: Slug.make("local"),
  workspace: Slug.make("local"),
  project: Slug.make("demo"),
  sample: Slug.make("hello")
} as const

const sha256 = (token: Redacted.Redacted<string>): string =>
  createHash("sha256").update(Redacted.value(token)).digest("hex")

/** Makes what is missing. */
export const register = Effect.fnUntraced(function* (client: StarformClient, secrets: LaunchSecrets) {
  yield* client.RegisterCluster({
    requestId: RequestId.make("launchpad:cluster"),
    clusterId: secrets.clusterId,
    name: names.cluster,
    region: "local",
    agentTokenHash: sha256(secrets.agentToken)
  })
  yield* client.CreateWorkspace({
    requestId: RequestId.make("launchpad:workspace"),
    id: secrets.workspaceId,
    slug: names.workspace,
    displayName: "Local",
    tokenHash: sha256(secrets.workspaceToken)
  })
  yield* client.CreateProject({
    requestId: RequestId.make("launchpad:project"),
    workspace: names.workspace,
    slug: names.project,
    displayName: "Demo",
    clusterId: secrets.clusterId
  })
})

const sample = {
  workspace: names.workspace,
  project: names.project,
  environment: EnvironmentName.make("production"),
  service: names.sample
}

/** Host name of the sample when a release of it is live. */
export const sampleHost = Effect.fnUntraced(function* (client: StarformClient) {
  const status = yield* client
    .GetAppStatus({ app: sample })
    .pipe(Effect.catchTag("NotFound", () => Effect.succeed(null)))
  return status === null || status.live === null ? null : (status.hostnames[0] ?? null)
})
