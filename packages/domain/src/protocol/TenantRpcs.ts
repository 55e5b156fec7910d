/** Public RPCs on the ownership tree. Every mutation takes a `requestId`: a repeat takes effect at most once. */
import * as Schema from "effect/Schema"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import {
  Forbidden,
  InternalFault,
  InvalidInput,
  NameTaken,
  NotFound,
  Overloaded,
  RequestIdReused,
  Unavailable
} from "../errors/RequestErrors.ts"
import { TokenHash } from "../ids/Digest.ts"
import { ClusterId, RequestId, WorkspaceId } from "../ids/Ids.ts"
import { EnvironmentName, Slug } from "../ids/Slug.ts"
import { Environment, Project, Service, ServiceType, Workspace } from "../model/Workspace.ts"
import { Authentication } from "./Authentication.ts"

/** What every mutation can answer. */
export const MutationError = Schema.Union([
  NotFound,
  Forbidden,
  InvalidInput,
  NameTaken,
  RequestIdReused,
  Overloaded,
  Unavailable,
  InternalFault
])
export type MutationError = typeof MutationError.Type

/** What every read can answer. */
export const ReadError = Schema.Union([
  NotFound,
  Forbidden,
  InvalidInput,
  Overloaded,
  Unavailable,
  InternalFault
])
export type ReadError = typeof ReadError.Type

/**
 * Operators only. The token stays with the caller, who made it: `sfw_<workspace id>_<43 characters of base64url>`.
 * Starbase gets its SHA-256 (64 hex digits). `id` is chosen by the caller, because the token contains it.
 */
const CreateWorkspace = Rpc.make("CreateWorkspace", {
  payload: {
    requestId: RequestId,
    id: WorkspaceId,
    slug: Slug,
    displayName: Schema.String,
    tokenHash: TokenHash
  },
  success: Workspace,
  error: MutationError
})

const ListWorkspaces = Rpc.make("ListWorkspaces", { success: Schema.Array(Workspace), error: ReadError })

/** The project is pinned to the cluster for ever and starts with the environment `production`, fed by `main`. */
const CreateProject = Rpc.make("CreateProject", {
  payload: {
    requestId: RequestId,
    workspace: Slug,
    slug: Slug,
    displayName: Schema.String,
    clusterId: ClusterId
  },
  success: Project,
  error: MutationError
})

const ListProjects = Rpc.make("ListProjects", {
  payload: { workspace: Slug },
  success: Schema.Array(Project),
  error: ReadError
})

const CreateEnvironment = Rpc.make("CreateEnvironment", {
  payload: {
    requestId: RequestId,
    workspace: Slug,
    project: Slug,
    name: EnvironmentName,
    branch: Schema.String,
    isProtected: Schema.Boolean,
    isEphemeral: Schema.Boolean
  },
  success: Environment,
  error: MutationError
})

const CreateService = Rpc.make("CreateService", {
  payload: { requestId: RequestId, workspace: Slug, project: Slug, slug: Slug, type: ServiceType },
  success: Service,
  error: MutationError
})

export class TenantRpcs extends RpcGroup.make(
  CreateWorkspace,
  ListWorkspaces,
  CreateProject,
  ListProjects,
  CreateEnvironment,
  CreateService
).middleware(Authentication) {}
