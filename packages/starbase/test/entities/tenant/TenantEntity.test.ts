import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Entity, ShardingConfig } from "effect/cluster"
import { EnvironmentName, NamespaceName, Slug } from "@starform/domain/ids/Slug"
import { defaultEnvironment } from "@starform/domain/model/Workspace"
import * as TenantBehavior from "@starform/starbase/entities/tenant/TenantBehavior"
import { TenantEntity } from "@starform/starbase/entities/tenant/TenantEntity"
import { ReadModels } from "@starform/starbase/journal/ReadModels"
import * as GatedJournal from "../GatedJournal.ts"
import { type Message, mutationConformance } from "../Mutation.conformance.ts"
import * as Specimens from "../Specimens.ts"

const runner = Entity.makeTestClient(TenantEntity, TenantBehavior.layerNoDeps)

type Client = Effect.Success<ReturnType<Effect.Success<typeof runner>>>

const { request } = Specimens
const workspaceId = Specimens.workspaceId(1)
const workspace = { id: workspaceId, slug: Slug.make("acme"), displayName: "Acme" }
const token = { id: "first", hash: "a".repeat(64), canWrite: true }
const project = {
  id: Specimens.projectId(1),
  workspaceId,
  slug: Slug.make("shop"),
  displayName: "Shop",
  clusterId: Specimens.clusterId(1),
  namespace: NamespaceName.make("proj-shop"),
  environments: [defaultEnvironment],
  services: []
}
const projectId = project.id
const staging = {
  name: EnvironmentName.make("staging"),
  branch: "staging",
  isProtected: false,
  isEphemeral: false
}
const service = { id: Specimens.serviceId(1), slug: Slug.make("api"), type: "web" as const }

const created = (tenant: Client) => tenant.CreateWorkspace({ ...request("workspace"), workspace, token })

const withProject = (tenant: Client) =>
  Effect.andThen(created(tenant), tenant.CreateProject({ ...request("project"), project }))

const messages: ReadonlyArray<Message<Client>> = [
  {
    name: "CreateWorkspace",
    prepare: () => Effect.void,
    send: (tenant, id) => tenant.CreateWorkspace({ ...request(id), workspace, token }),
    sendOther: (tenant, id) =>
      tenant.CreateWorkspace({ ...request(id), workspace: { ...workspace, displayName: "Other" }, token })
  },
  {
    name: "AddToken",
    prepare: created,
    send: (tenant, id) => tenant.AddToken({ ...request(id), token: { ...token, hash: "b".repeat(64) } }),
    sendOther: (tenant, id) => tenant.AddToken({ ...request(id), token: { ...token, hash: "c".repeat(64) } })
  },
  {
    name: "RevokeToken",
    prepare: created,
    send: (tenant, id) => tenant.RevokeToken({ ...request(id), tokenId: token.id }),
    sendOther: (tenant, id) => tenant.RevokeToken({ ...request(id), tokenId: "second" })
  },
  {
    name: "CreateProject",
    prepare: created,
    send: (tenant, id) => tenant.CreateProject({ ...request(id), project }),
    sendOther: (tenant, id) =>
      tenant.CreateProject({ ...request(id), project: { ...project, displayName: "X" } })
  },
  {
    name: "CreateEnvironment",
    prepare: withProject,
    send: (tenant, id) => tenant.CreateEnvironment({ ...request(id), projectId, environment: staging }),
    sendOther: (tenant, id) =>
      tenant.CreateEnvironment({ ...request(id), projectId, environment: { ...staging, branch: "next" } })
  },
  {
    name: "CreateService",
    prepare: withProject,
    send: (tenant, id) => tenant.CreateService({ ...request(id), projectId, service }),
    sendOther: (tenant, id) =>
      tenant.CreateService({ ...request(id), projectId, service: { ...service, type: "worker" } })
  }
]

mutationConformance({ type: "Tenant", runner, state: (tenant) => tenant.GetTenant() }, workspaceId, messages)

const services = Layer.merge(GatedJournal.layer, ShardingConfig.layer())

const open = (id: string) => Effect.flatMap(runner, (client) => client(id))

describe("names", () => {
  it.effect(
    "are NameTaken for a second workspace of the slug, which is left as if it had not been asked",
    () =>
      Effect.gen(function* () {
        const models = yield* ReadModels
        const other = Specimens.workspaceId(2)
        yield* created(yield* open(workspaceId))
        const late = yield* open(other)
        const error = yield* Effect.flip(
          late.CreateWorkspace({ ...request("workspace"), workspace: { ...workspace, id: other }, token })
        )
        assert.deepInclude(error, { _tag: "NameTaken", kind: "workspace", name: "acme" })
        assert.strictEqual((yield* Effect.flip(late.GetTenant()))._tag, "NotFound")
        assert.deepInclude(yield* models.holder("workspace", "acme"), { value: workspaceId })
        yield* late.CreateWorkspace({
          ...request("workspace"),
          workspace: { ...workspace, id: other, slug: Slug.make("acme-2") },
          token
        })
      }).pipe(Effect.scoped, Effect.provide(services))
  )

  it.effect("are NameTaken for a namespace that another workspace's project has on the cluster", () =>
    Effect.gen(function* () {
      const other = Specimens.workspaceId(2)
      yield* withProject(yield* open(workspaceId))
      const tenant = yield* open(other)
      yield* tenant.CreateWorkspace({
        ...request("workspace"),
        workspace: { ...workspace, id: other, slug: Slug.make("other") },
        token
      })
      const theirs = { ...project, id: Specimens.projectId(2), workspaceId: other }
      const create = (id: string, fields: Partial<typeof project>) =>
        tenant.CreateProject({ ...request(id), project: { ...theirs, ...fields } })
      assert.deepInclude(yield* Effect.flip(create("first", {})), { _tag: "NameTaken", kind: "namespace" })
      yield* create("longer", { namespace: NamespaceName.make("proj-other-shop") })
      const elsewhere = {
        id: Specimens.projectId(3),
        slug: Slug.make("shop-2"),
        clusterId: Specimens.clusterId(2)
      }
      yield* create("elsewhere", elsewhere)
    }).pipe(Effect.scoped, Effect.provide(services))
  )
})
