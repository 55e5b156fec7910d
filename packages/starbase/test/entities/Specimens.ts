/** Ids and values that tests of the entities are made of. Numbers tell them apart; `unique` keeps databases shared. */
import { randomUUID } from "node:crypto"
import * as AppId from "@starform/domain/ids/AppId"
import { CommitSha, Digest, ImageReference } from "@starform/domain/ids/Digest"
import {
  BuildId,
  ClusterId,
  DeployId,
  ProjectId,
  ReleaseId,
  RequestId,
  ServiceId,
  WorkspaceId
} from "@starform/domain/ids/Ids"
import { EnvironmentName, Hostname, NamespaceName, ProcessName, Slug } from "@starform/domain/ids/Slug"
import type { DeployFailure } from "@starform/domain/model/Deploy"
import type { Principal } from "@starform/domain/model/Principal"
import type { ObservedApp } from "@starform/domain/observed/ObservedApp"
import type { DesiredEntry } from "@starform/starbase/desired/DesiredEntry"
import type { AppIdentity } from "@starform/starbase/entities/app/AppEntity"

export const operator: Principal = { _tag: "Operator" }

const uuid = (kind: number, n: number) =>
  `0198c0de-0000-7000-8${kind.toString(16).padStart(3, "0")}-${n.toString(16).padStart(12, "0")}`

export const deployId = (n: number) => DeployId.make(uuid(1, n))
export const releaseId = (n: number) => ReleaseId.make(uuid(2, n))
export const buildId = (n: number) => BuildId.make(uuid(3, n))
export const projectId = (n: number) => ProjectId.make(uuid(4, n))
export const serviceId = (n: number) => ServiceId.make(uuid(5, n))
export const workspaceId = (n: number) => WorkspaceId.make(uuid(6, n))
export const clusterId = (n: number) => ClusterId.make(uuid(7, n))
export const digest = (n: number) => Digest.make(`sha256:${n.toString(16).padStart(64, "0")}`)
export const commit = (n: number) => CommitSha.make(n.toString(16).padStart(40, "0"))
export const image = (n: number) => ImageReference.make(`registry.test/app@${digest(n)}`)
export const web = ProcessName.make("web")

export const appId = (n: number) =>
  AppId.format({
    projectId: projectId(n),
    environment: EnvironmentName.make("production"),
    serviceId: serviceId(n)
  })

export const identity = (n: number): AppIdentity => ({
  appId: appId(n),
  workspaceId: workspaceId(1),
  workspaceSlug: Slug.make("acme"),
  projectId: projectId(n),
  projectSlug: Slug.make("shop"),
  environment: EnvironmentName.make("production"),
  serviceId: serviceId(n),
  serviceSlug: Slug.make("api"),
  serviceType: "web",
  clusterId: clusterId(1),
  namespace: NamespaceName.make("proj-shop"),
  hostnames: [Hostname.make(`api-shop-${n}.test`)]
})

/** An app that no other test of the run has: for databases that tests share. */
export const uniqueIdentity = (cluster = ClusterId.make(randomUUID())): AppIdentity => {
  const [project, service] = [ProjectId.make(randomUUID()), ServiceId.make(randomUUID())]
  return {
    ...identity(0),
    appId: AppId.format({
      projectId: project,
      environment: EnvironmentName.make("production"),
      serviceId: service
    }),
    projectId: project,
    serviceId: service,
    clusterId: cluster,
    hostnames: [Hostname.make(`${service}.test`)]
  }
}

export const request = (requestId: string) => ({
  requestId: RequestId.make(requestId),
  principal: operator
})

/** A push; its request id is its deploy's id, as the git remote does it. */
export const push = (id: DeployId, n = 1) => ({
  ...request(id),
  deployId: id,
  commit: commit(n),
  ref: "refs/heads/main",
  source: digest(n),
  repository: "acme/shop/api",
  detached: false
})

/** What a build leaves: release `n`, with an image of its own. */
export const built = (deploy: DeployId, n = 1) => ({
  deployId: deploy,
  releaseId: ReleaseId.make(deploy),
  buildId: BuildId.make(deploy),
  image: image(n),
  digest: digest(n),
  processes: [{ name: web, command: ["node", "server.js"] }],
  healthPath: null
})

export const failure: DeployFailure = {
  phase: "building",
  code: "BuildFailed",
  reason: "npm ci ended with status 1",
  advice: "Run it on your machine.",
  output: ["npm error"]
}

export const observed = (
  entry: { readonly appId: AppId.AppId; readonly ordinal: number } & Partial<DesiredEntry>,
  phase: ObservedApp["phase"],
  reason: ObservedApp["reason"] = null
): ObservedApp => ({
  appId: entry.appId,
  deployId: phase === "absent" ? null : (entry.deployId ?? null),
  releaseId: phase === "absent" ? null : (entry.releaseId ?? null),
  ordinal: entry.ordinal,
  phase,
  processes: [],
  reason,
  output: []
})

export const desiredEntry = (
  n: number,
  ordinal: number,
  fields: Partial<DesiredEntry> = {}
): DesiredEntry => {
  const { hostnames, serviceSlug, clusterId: _, ...app } = identity(n)
  return {
    ...app,
    serviceName: serviceSlug,
    deployId: deployId(ordinal),
    ordinal,
    releaseId: releaseId(ordinal),
    image: image(ordinal),
    provenance: {
      buildId: buildId(ordinal),
      gitSha: commit(ordinal),
      gitRef: "refs/heads/main",
      gitRepo: "acme/shop/api"
    },
    deployedAt: "2026-01-01T00:00:00.000Z",
    deployedBy: "operator",
    tier: "nova",
    processes: [
      {
        name: web,
        command: ["node", "server.js"],
        replicas: 1,
        containerPort: 8080,
        cpuMillicores: 250,
        memoryMebibytes: 512
      }
    ],
    variables: [],
    hostnames,
    healthPath: null,
    startupSeconds: 60,
    restartNonce: "",
    ...fields
  }
}
