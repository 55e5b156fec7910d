/** State and events of a Tenant, and how an event changes the state. Pure. */
import { TokenHash } from "@starform/domain/ids/Digest"
import { ProjectId } from "@starform/domain/ids/Ids"
import { Environment, Project, Service, Workspace } from "@starform/domain/model/Workspace"
import * as Schema from "effect/Schema"

export const TokenRecord = Schema.Struct({
  id: Schema.String,
  hash: TokenHash,
  canWrite: Schema.Boolean
})
export type TokenRecord = typeof TokenRecord.Type

export const TenantState = Schema.Struct({
  workspace: Schema.NullOr(Workspace),
  tokens: Schema.Array(TokenRecord),
  projects: Schema.Array(Project)
})
export type TenantState = typeof TenantState.Type

export const TenantEvent = Schema.TaggedUnion({
  WorkspaceCreated: { workspace: Workspace },
  TokenAdded: { token: TokenRecord },
  TokenRevoked: { tokenId: Schema.String },
  ProjectCreated: { project: Project },
  EnvironmentCreated: { projectId: ProjectId, environment: Environment },
  ServiceCreated: { projectId: ProjectId, service: Service }
})
export type TenantEvent = typeof TenantEvent.Type

export const initial = (): TenantState => ({ workspace: null, tokens: [], projects: [] })

const changeProject = (state: TenantState, id: ProjectId, f: (project: Project) => Project): TenantState => ({
  ...state,
  projects: state.projects.map((project) => (project.id === id ? f(project) : project))
})

export const evolve = (state: TenantState, event: TenantEvent): TenantState => {
  switch (event._tag) {
    case "WorkspaceCreated":
      return { ...state, workspace: event.workspace }
    case "TokenAdded":
      return { ...state, tokens: [...state.tokens, event.token] }
    case "TokenRevoked":
      return { ...state, tokens: state.tokens.filter(({ id }) => id !== event.tokenId) }
    case "ProjectCreated":
      return { ...state, projects: [...state.projects, event.project] }
    case "EnvironmentCreated":
      return changeProject(state, event.projectId, (project) => ({
        ...project,
        environments: [...project.environments, event.environment]
      }))
    case "ServiceCreated":
      return changeProject(state, event.projectId, (project) => ({
        ...project,
        services: [...project.services, event.service]
      }))
  }
}
