/** From names to identities, and whether a principal may go there. What it may not see does not exist (INV-API-2). */
import { Forbidden, InternalFault, NotFound, Unavailable } from "@starform/domain/errors/RequestErrors"
import * as AppId from "@starform/domain/ids/AppId"
import { ClusterId } from "@starform/domain/ids/Ids"
import { type EnvironmentName, Slug } from "@starform/domain/ids/Slug"
import type { Principal } from "@starform/domain/model/Principal"
import { Project, type Service, Workspace } from "@starform/domain/model/Workspace"
import type { AppRef } from "@starform/domain/protocol/AppRpcs"
import type { ClusterName } from "@starform/domain/protocol/ClusterRpcs"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ReadModels } from "../journal/ReadModels.ts"

export type Access = "read" | "write"

export type DirectoryError = NotFound | Forbidden | Unavailable | InternalFault

export interface LocatedProject {
  readonly workspace: Workspace
  readonly project: Project
}

export interface LocatedApp extends LocatedProject {
  readonly service: Service
  readonly environment: EnvironmentName
  readonly appId: AppId.AppId
}

export class Directory extends Context.Service<
  Directory,
  {
    readonly workspaces: (
      principal: Principal
    ) => Effect.Effect<ReadonlyArray<Workspace>, Unavailable | InternalFault>
    readonly workspace: (
      principal: Principal,
      slug: Slug,
      access: Access
    ) => Effect.Effect<Workspace, DirectoryError>
    readonly projects: (
      principal: Principal,
      workspace: Slug
    ) => Effect.Effect<ReadonlyArray<Project>, DirectoryError>
    readonly project: (
      principal: Principal,
      workspace: Slug,
      project: Slug,
      access: Access
    ) => Effect.Effect<LocatedProject, DirectoryError>
    /** Every cluster for an operator; for a token, the clusters that its workspace's projects are on. */
    readonly clusters: (
      principal: Principal
    ) => Effect.Effect<ReadonlyArray<ClusterName>, Unavailable | InternalFault>
    readonly app: (
      principal: Principal,
      ref: AppRef,
      access: Access
    ) => Effect.Effect<LocatedApp, DirectoryError>
  }
>()("@starform/starbase/api/Directory") {}

const ClusterRow = Schema.Struct({ clusterId: ClusterId, name: Slug, region: Schema.String })

const canSee = (principal: Principal, workspace: Workspace): boolean =>
  principal._tag === "Operator" ||
  principal._tag === "System" ||
  (principal._tag === "Token" && principal.workspaceId === workspace.id)

const canWrite = (principal: Principal): boolean => principal._tag !== "Token" || principal.canWrite

export const layerNoDeps = Layer.effect(
  Directory,
  Effect.gen(function* () {
    const models = yield* ReadModels
    const decodeWorkspace = Schema.decodeUnknownEffect(Workspace)
    const decodeProject = Schema.decodeUnknownEffect(Project)
    const decodeCluster = Schema.decodeUnknownEffect(ClusterRow)

    const readable = <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.mapError(effect, (error) =>
        Schema.isSchemaError(error)
          ? new InternalFault({ reference: "directory" })
          : new Unavailable({ what: "directory" })
      )

    const workspaces: Directory["Service"]["workspaces"] = Effect.fnUntraced(function* (principal) {
      const rows = yield* readable(models.list("workspace", "all"))
      const all = yield* readable(Effect.forEach(rows, (row) => decodeWorkspace(row)))
      return all.filter((workspace) => canSee(principal, workspace))
    })

    const workspace: Directory["Service"]["workspace"] = Effect.fnUntraced(
      function* (principal, slug, access) {
        const missing = new NotFound({ kind: "workspace", name: slug })
        const row = yield* readable(models.get("workspace", slug))
        if (Option.isNone(row)) return yield* missing
        const found = yield* readable(decodeWorkspace(row.value))
        if (!canSee(principal, found)) return yield* missing
        if (access === "write" && !canWrite(principal)) return yield* new Forbidden({ action: "write here" })
        return found
      }
    )

    const project: Directory["Service"]["project"] = Effect.fnUntraced(
      function* (principal, workspaceSlug, slug, access) {
        const owner = yield* workspace(principal, workspaceSlug, access)
        const row = yield* readable(models.get("project", `${workspaceSlug}/${slug}`))
        if (Option.isNone(row)) return yield* new NotFound({ kind: "project", name: slug })
        return { workspace: owner, project: yield* readable(decodeProject(row.value)) }
      }
    )

    const projectsOf = Effect.fnUntraced(function* (slug: Slug) {
      const rows = yield* readable(models.list("project", slug))
      return yield* readable(Effect.forEach(rows, (row) => decodeProject(row)))
    })

    return Directory.of({
      workspaces,
      workspace,
      project,

      projects: (principal, slug) => Effect.andThen(workspace(principal, slug, "read"), projectsOf(slug)),

      clusters: Effect.fnUntraced(function* (principal) {
        const rows = yield* readable(models.list("cluster", "all"))
        const all = yield* readable(Effect.forEach(rows, (row) => decodeCluster(row)))
        const names = all.map(({ clusterId, name, region }) => ({ id: clusterId, name, region }))
        if (principal._tag === "Operator") return names
        const visible = yield* workspaces(principal)
        const projects = yield* Effect.forEach(visible, ({ slug }) => projectsOf(slug))
        const used = new Set(projects.flat().map(({ clusterId }) => clusterId))
        return names.filter(({ id }) => used.has(id))
      }),

      app: Effect.fnUntraced(function* (principal, ref, access) {
        const located = yield* project(principal, ref.workspace, ref.project, access)
        const service = located.project.services.find(({ slug }) => slug === ref.service)
        if (service === undefined) return yield* new NotFound({ kind: "service", name: ref.service })
        const environment = located.project.environments.find(({ name }) => name === ref.environment)
        if (environment === undefined) {
          return yield* new NotFound({ kind: "environment", name: ref.environment })
        }
        const appId = AppId.format({
          projectId: located.project.id,
          environment: environment.name,
          serviceId: service.id
        })
        return { ...located, service, environment: environment.name, appId }
      })
    })
  })
)
