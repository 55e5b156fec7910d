/** Public RPCs on the ownership tree. */
import { Forbidden, InternalFault, NotFound } from "@starform/domain/errors/RequestErrors"
import { ProjectId, RequestId } from "@starform/domain/ids/Ids"
import { NamespaceName } from "@starform/domain/ids/Slug"
import { CurrentPrincipal, type Principal } from "@starform/domain/model/Principal"
import { defaultEnvironment, type Project } from "@starform/domain/model/Workspace"
import { TenantRpcs } from "@starform/domain/protocol/TenantRpcs"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { EntityClients } from "../entities/EntityClients.ts"
import { ReadModels } from "../journal/ReadModels.ts"
import { Authenticator } from "../security/Authenticator.ts"
import { Directory } from "./Directory.ts"
import { derivedId } from "./internal/derivedId.ts"
import { ServiceCatalog } from "./ServiceCatalog.ts"

/** Longest namespace name in Kubernetes. */
const namespaceMax = 63

export const requireOperator = (principal: Principal, action: string) =>
  principal._tag === "Operator" ? Effect.void : Effect.fail(new Forbidden({ action }))

export const layerNoDeps = TenantRpcs.toLayer(
  Effect.gen(function* () {
    const entities = yield* EntityClients
    const directory = yield* Directory
    const catalog = yield* ServiceCatalog
    const models = yield* ReadModels
    const authenticator = yield* Authenticator

    return TenantRpcs.of({
      CreateWorkspace: Effect.fnUntraced(function* ({
        requestId,
        id: workspaceId,
        slug,
        displayName,
        tokenHash
      }) {
        const principal = yield* CurrentPrincipal
        yield* requireOperator(principal, "create a workspace")
        const workspace = yield* entities.tenant(workspaceId, (tenant) =>
          tenant.CreateWorkspace({
            requestId,
            principal,
            workspace: { id: workspaceId, slug, displayName },
            token: { id: "first", hash: tokenHash, canWrite: true }
          })
        )
        yield* authenticator.forget(workspaceId)
        return workspace
      }),

      ListWorkspaces: Effect.fnUntraced(function* () {
        return yield* directory.workspaces(yield* CurrentPrincipal)
      }),

      CreateProject: Effect.fnUntraced(function* ({ requestId, workspace, slug, displayName, clusterId }) {
        const principal = yield* CurrentPrincipal
        const owner = yield* directory.workspace(principal, workspace, "write")
        const cluster = yield* models
          .get("cluster", clusterId)
          .pipe(Effect.mapError(() => new InternalFault({ reference: "clusters" })))
        if (Option.isNone(cluster)) return yield* new NotFound({ kind: "cluster", name: clusterId })
        const create = (namespace: string, attempt: string) => {
          const project: Project = {
            id: ProjectId.make(derivedId("project", owner.id, slug, requestId)),
            workspaceId: owner.id,
            slug,
            displayName,
            clusterId,
            namespace: NamespaceName.make(namespace.slice(0, namespaceMax).replace(/-+$/, "")),
            environments: [defaultEnvironment],
            services: []
          }
          const id = RequestId.make(`${attempt}${requestId}`.slice(0, 200))
          return entities.tenant(owner.id, (tenant) =>
            tenant.CreateProject({ requestId: id, principal, project })
          )
        }
        return yield* create(`proj-${slug}`, "").pipe(
          Effect.catchTag("NameTaken", (taken) =>
            taken.kind === "namespace" ? create(`proj-${workspace}-${slug}`, "collided:") : Effect.fail(taken)
          )
        )
      }),

      ListProjects: Effect.fnUntraced(function* ({ workspace }) {
        return yield* directory.projects(yield* CurrentPrincipal, workspace)
      }),

      CreateEnvironment: Effect.fnUntraced(function* ({ requestId, workspace, project, ...environment }) {
        const principal = yield* CurrentPrincipal
        const located = yield* directory.project(principal, workspace, project, "write")
        return yield* catalog.createEnvironment(located, principal, requestId, environment)
      }),

      CreateService: Effect.fnUntraced(function* ({ requestId, workspace, project, slug, type }) {
        const principal = yield* CurrentPrincipal
        const located = yield* directory.project(principal, workspace, project, "write")
        return yield* catalog.createService(located, principal, requestId, { slug, type })
      })
    })
  })
)
