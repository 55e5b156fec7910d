/**
 * Decisions of a Tenant. Pure. A workspace, token or service that exists already is answered as it is when a repeat
 * means the same one; a project or environment of a name that is there is `NameTaken`.
 */
import { InvalidInput, NameTaken, NotFound } from "@starform/domain/errors/RequestErrors"
import type { ProjectId } from "@starform/domain/ids/Ids"
import type { Environment, Project, Service, Workspace } from "@starform/domain/model/Workspace"
import * as Result from "effect/Result"
import type { Decision } from "../../journal/JournaledEntity.ts"
import type { TenantEvent, TenantState, TokenRecord } from "./TenantState.ts"

type Outcome<Reply, Rejection> = Result.Result<Decision<TenantState, TenantEvent, Reply>, Rejection>

/** Limits per workspace and project; beyond them a workspace's state no longer fits one entity well. */
export const projectsMax = 200
export const environmentsMax = 50
export const servicesMax = 200

const done = <Reply>(reply: Reply, ...events: ReadonlyArray<TenantEvent>): Outcome<Reply, never> =>
  Result.succeed({ events, reply: () => reply })

const full = (field: string, max: number) =>
  Result.fail(new InvalidInput({ field, problem: `at most ${max}` }))

const findProject = (state: TenantState, id: ProjectId): Result.Result<Project, NotFound> => {
  const project = state.projects.find((candidate) => candidate.id === id)
  return project === undefined
    ? Result.fail(new NotFound({ kind: "project", name: id }))
    : Result.succeed(project)
}

export const createWorkspace = (
  state: TenantState,
  command: { readonly workspace: Workspace; readonly token: TokenRecord }
): Outcome<Workspace, NameTaken> => {
  if (state.workspace !== null) {
    return state.workspace.slug === command.workspace.slug
      ? done(state.workspace)
      : Result.fail(new NameTaken({ kind: "workspace", name: state.workspace.slug }))
  }
  const { workspace, token } = command
  return done(workspace, { _tag: "WorkspaceCreated", workspace }, { _tag: "TokenAdded", token })
}

/** Replaces a token of the same id whose hash differs. */
export const addToken = (
  state: TenantState,
  { token }: { readonly token: TokenRecord }
): Outcome<void, NotFound> => {
  if (state.workspace === null) return Result.fail(new NotFound({ kind: "workspace", name: "" }))
  const known = state.tokens.find(({ id }) => id === token.id)
  if (known === undefined) return done(undefined, { _tag: "TokenAdded", token })
  if (known.hash === token.hash && known.canWrite === token.canWrite) return done(undefined)
  return done(undefined, { _tag: "TokenRevoked", tokenId: token.id }, { _tag: "TokenAdded", token })
}

export const revokeToken = (
  state: TenantState,
  { tokenId }: { readonly tokenId: string }
): Outcome<void, never> =>
  state.tokens.some(({ id }) => id === tokenId)
    ? done(undefined, { _tag: "TokenRevoked", tokenId })
    : done(undefined)

export const createProject = (
  state: TenantState,
  { project }: { readonly project: Project }
): Outcome<Project, NotFound | NameTaken | InvalidInput> => {
  if (state.workspace === null) return Result.fail(new NotFound({ kind: "workspace", name: "" }))
  if (state.projects.some(({ slug }) => slug === project.slug)) {
    return Result.fail(new NameTaken({ kind: "project", name: project.slug }))
  }
  if (state.projects.some(({ id }) => id === project.id)) {
    return Result.fail(new InvalidInput({ field: "project", problem: "the id belongs to another project" }))
  }
  if (state.projects.length >= projectsMax) return full("projects", projectsMax)
  return done(project, { _tag: "ProjectCreated", project })
}

export const createEnvironment = (
  state: TenantState,
  command: { readonly projectId: ProjectId; readonly environment: Environment }
): Outcome<Environment, NotFound | NameTaken | InvalidInput> =>
  Result.flatMap(
    findProject(state, command.projectId),
    (project): Outcome<Environment, NameTaken | InvalidInput> => {
      const { environment, projectId } = command
      if (project.environments.some(({ name }) => name === environment.name)) {
        return Result.fail(new NameTaken({ kind: "environment", name: environment.name }))
      }
      const owner = project.environments.find(({ branch }) => branch === environment.branch)
      if (owner !== undefined) {
        const problem = `"${environment.branch}" already deploys to ${owner.name}`
        return Result.fail(new InvalidInput({ field: "branch", problem }))
      }
      if (project.environments.length >= environmentsMax) return full("environments", environmentsMax)
      return done(environment, { _tag: "EnvironmentCreated", projectId, environment })
    }
  )

/** Two first pushes may race: the second is answered with the service that the first created. */
export const createService = (
  state: TenantState,
  command: { readonly projectId: ProjectId; readonly service: Service }
): Outcome<Service, NotFound | NameTaken | InvalidInput> =>
  Result.flatMap(
    findProject(state, command.projectId),
    (project): Outcome<Service, NameTaken | InvalidInput> => {
      const { projectId, service } = command
      const known = project.services.find(({ slug }) => slug === service.slug)
      if (known !== undefined) {
        return known.type === service.type
          ? done(known)
          : Result.fail(new NameTaken({ kind: "service", name: service.slug }))
      }
      if (project.services.length >= servicesMax) return full("services", servicesMax)
      return done(service, { _tag: "ServiceCreated", projectId, service })
    }
  )
