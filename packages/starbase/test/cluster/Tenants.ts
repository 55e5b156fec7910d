/** A tenant of the load: its workspace, its cluster, an app that is configured and an app that is pushed to. */
import { randomBytes, randomUUID } from "node:crypto"
import { Effect, Schedule } from "effect"
import { TokenHash } from "@starform/domain/ids/Digest"
import { ClusterId, WorkspaceId } from "@starform/domain/ids/Ids"
import { Slug } from "@starform/domain/ids/Slug"
import type { AppIdentity } from "@starform/starbase/entities/app/AppEntity"
import type { EntityKey } from "@starform/starbase/journal/Journal"
import * as Specimens from "../entities/Specimens.ts"
import type { Caller } from "./Caller.ts"
import type { RunnerProcess } from "./RunnerProcess.ts"

export interface Tenant {
  readonly workspace: EntityKey
  readonly cluster: EntityKey
  readonly configured: AppIdentity
  readonly pushed: AppIdentity
  readonly agentTokenHash: string
}

export const appOf = ({ appId }: AppIdentity): EntityKey => ({ type: "App", id: appId })

export const entitiesOf = (tenant: Tenant): ReadonlyArray<EntityKey> => [
  tenant.workspace,
  tenant.cluster,
  appOf(tenant.configured),
  appOf(tenant.pushed)
]

const candidates = 60

/** One of many that this runner owns; a busy machine may move its shards away for a moment. */
const ownedBy = Effect.fnUntraced(function* <A>(runner: RunnerProcess, make: () => A, id: (a: A) => string) {
  const all = Array.from({ length: candidates }, make)
  const owned = yield* runner
    .owned(all.map(id))
    .pipe(
      Effect.repeat({ until: ({ length }) => length > 0, schedule: Schedule.spaced("100 millis") }),
      Effect.timeout("20 seconds"),
      Effect.orDie
    )
  return all.find((each) => owned.includes(id(each)))!
})

/** Which runner owns what of a tenant, while nothing is wrong. */
export interface Owners {
  readonly workspace: RunnerProcess
  readonly cluster: RunnerProcess
  readonly configured: RunnerProcess
  readonly pushed: RunnerProcess
}

const tokenHash = () => TokenHash.make(randomBytes(32).toString("hex"))

/** Creates all of it. */
export const create = Effect.fnUntraced(function* (caller: Caller, owners: Owners) {
  const text = (id: string) => id
  const workspaceId = yield* ownedBy(owners.workspace, () => WorkspaceId.make(randomUUID()), text)
  const clusterId = yield* ownedBy(owners.cluster, () => ClusterId.make(randomUUID()), text)
  const app = (owner: RunnerProcess) =>
    ownedBy(
      owner,
      () => ({ ...Specimens.uniqueIdentity(clusterId), workspaceId }),
      ({ appId }) => appId
    )
  const slug = Slug.make(`t${workspaceId.slice(0, 8)}`)
  const agentTokenHash = tokenHash()
  const tenant: Tenant = {
    workspace: { type: "Tenant", id: workspaceId },
    cluster: { type: "Cluster", id: clusterId },
    configured: yield* app(owners.configured),
    pushed: yield* app(owners.pushed),
    agentTokenHash
  }
  yield* caller.command(tenant.workspace, "CreateWorkspace", {
    ...Specimens.request("create"),
    workspace: { id: workspaceId, slug, displayName: slug },
    token: { id: "first", hash: tokenHash(), canWrite: true }
  })
  yield* caller.command(tenant.cluster, "RegisterCluster", {
    ...Specimens.request("create"),
    registration: { clusterId, name: slug, region: "test", agentTokenHash },
    epoch: randomBytes(4).toString("hex")
  })
  for (const identity of [tenant.configured, tenant.pushed]) {
    yield* caller.command(appOf(identity), "CreateApp", { ...Specimens.request("create"), identity }, 1)
  }
  return tenant
})

export const freshToken = (id: string) => ({ id, hash: tokenHash(), canWrite: false })
