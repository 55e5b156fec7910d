/** What creating a service or an environment means across entities. Every step is idempotent and can be repeated. */
import * as AppId from "@starform/domain/ids/AppId"
import { RequestId, ServiceId } from "@starform/domain/ids/Ids"
import type { EnvironmentName, Slug } from "@starform/domain/ids/Slug"
import { describe, type Principal } from "@starform/domain/model/Principal"
import type { Environment, Service, ServiceType } from "@starform/domain/model/Workspace"
import type { MutationError } from "@starform/domain/protocol/TenantRpcs"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { AppIdentity } from "../entities/app/AppEntity.ts"
import { EntityClients } from "../entities/EntityClients.ts"
import { StarbaseConfig } from "../StarbaseConfig.ts"
import type { LocatedProject } from "./Directory.ts"
import { candidates } from "./HostnameChoice.ts"
import { derivedId } from "./internal/derivedId.ts"

export class ServiceCatalog extends Context.Service<
  ServiceCatalog,
  {
    /** Answers the service that has the slug already; its apps are made sure of in either case. */
    readonly createService: (
      located: LocatedProject,
      principal: Principal,
      requestId: RequestId,
      service: { readonly slug: Slug; readonly type: ServiceType }
    ) => Effect.Effect<Service, MutationError>
    readonly createEnvironment: (
      located: LocatedProject,
      principal: Principal,
      requestId: RequestId,
      environment: Environment
    ) => Effect.Effect<Environment, MutationError>
    /** The app of a service in an environment, created when it is not there yet. */
    readonly ensureApp: (
      located: LocatedProject,
      principal: Principal,
      service: Service,
      environment: EnvironmentName
    ) => Effect.Effect<AppIdentity, MutationError>
  }
>()("@starform/starbase/api/ServiceCatalog") {}

export const layerNoDeps = Layer.effect(
  ServiceCatalog,
  Effect.gen(function* () {
    const entities = yield* EntityClients
    const { appDomain } = yield* StarbaseConfig

    const ensureApp: ServiceCatalog["Service"]["ensureApp"] = Effect.fnUntraced(function* (
      { workspace, project },
      principal,
      service,
      environment
    ) {
      const appId = AppId.format({ projectId: project.id, environment, serviceId: service.id })
      const named = { appId, service: service.slug, environment, project: project.slug }
      const [preferred, ...others] = candidates(named, appDomain)
      const create = (hostname: typeof preferred) =>
        entities.app(appId, (app) =>
          app.CreateApp({
            // Whoever comes second makes another request: it is answered with the app that is there.
            requestId: RequestId.make(`create:${describe(principal)}:${hostname}`.slice(0, 200)),
            principal,
            identity: {
              appId,
              workspaceId: workspace.id,
              workspaceSlug: workspace.slug,
              projectId: project.id,
              projectSlug: project.slug,
              environment,
              serviceId: service.id,
              serviceSlug: service.slug,
              serviceType: service.type,
              clusterId: project.clusterId,
              namespace: project.namespace,
              hostnames: service.type === "web" ? [hostname] : []
            }
          })
        )
      const created = others.reduce(
        (attempt, hostname) => attempt.pipe(Effect.catchTag("NameTaken", () => create(hostname))),
        create(preferred)
      )
      return yield* created.pipe(
        Effect.catchTags({
          DeployEnded: Effect.die,
          NoEarlierRelease: Effect.die,
          NothingLive: Effect.die
        })
      )
    })

    return ServiceCatalog.of({
      ensureApp,

      createService: Effect.fnUntraced(function* (located, principal, requestId, { slug, type }) {
        const { workspace, project } = located
        const id = ServiceId.make(derivedId("service", project.id, slug, requestId))
        const known = project.services.find((service) => service.slug === slug)
        const service =
          known !== undefined && known.type === type
            ? known
            : yield* entities.tenant(workspace.id, (tenant) =>
                tenant.CreateService({
                  requestId,
                  principal,
                  projectId: project.id,
                  service: { id, slug, type }
                })
              )
        yield* Effect.forEach(project.environments, ({ name }) =>
          ensureApp(located, principal, service, name)
        )
        return service
      }),

      createEnvironment: Effect.fnUntraced(function* (located, principal, requestId, environment) {
        const { workspace, project } = located
        const created = yield* entities.tenant(workspace.id, (tenant) =>
          tenant.CreateEnvironment({ requestId, principal, projectId: project.id, environment })
        )
        yield* Effect.forEach(project.services, (service) =>
          ensureApp(located, principal, service, created.name)
        )
        return created
      })
    })
  })
)
