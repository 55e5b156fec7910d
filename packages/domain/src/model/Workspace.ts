/** The ownership tree: workspace → project → environment → service. */
import * as Schema from "effect/Schema"
import { ClusterId, ProjectId, ServiceId, WorkspaceId } from "../ids/Ids.ts"
import { EnvironmentName, NamespaceName, Slug } from "../ids/Slug.ts"

export const Workspace = Schema.Struct({ id: WorkspaceId, slug: Slug, displayName: Schema.String })
export type Workspace = typeof Workspace.Type

export const Environment = Schema.Struct({
  name: EnvironmentName,
  /** The branch whose pushes deploy here; one branch feeds at most one environment of a project. */
  branch: Schema.String,
  isProtected: Schema.Boolean,
  isEphemeral: Schema.Boolean
})
export type Environment = typeof Environment.Type

/** `web` answers HTTP, `worker` does not, `cron` runs on a schedule. */
export const ServiceType = Schema.Literals(["web", "worker", "cron"])
export type ServiceType = typeof ServiceType.Type

export const Service = Schema.Struct({ id: ServiceId, slug: Slug, type: ServiceType })
export type Service = typeof Service.Type

export const Project = Schema.Struct({
  id: ProjectId,
  workspaceId: WorkspaceId,
  slug: Slug,
  displayName: Schema.String,
  clusterId: ClusterId,
  namespace: NamespaceName,
  environments: Schema.Array(Environment),
  services: Schema.Array(Service)
})
export type Project = typeof Project.Type

/** What every new project starts with: pushes to `main` go to `production`. */
export const defaultEnvironment: Environment = {
  name: EnvironmentName.make("production"),
  branch: "main",
  isProtected: false,
  isEphemeral: false
}
