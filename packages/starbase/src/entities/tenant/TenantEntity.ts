/** The protocol of the Tenant entity: the only file of this folder that others may import. */
import { ProjectId } from "@starform/domain/ids/Ids"
import { Environment, Project, Service, Workspace } from "@starform/domain/model/Workspace"
import * as Entity from "effect/cluster/Entity"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import {
  CommonError,
  InspectActivity,
  mutation,
  mutationAnnotations,
  Passivate,
  ReadError
} from "../EntityMessage.ts"
import { TenantState, TokenRecord } from "./TenantState.ts"

const error = CommonError

const CreateWorkspace = Rpc.make("CreateWorkspace", {
  payload: { ...mutation, workspace: Workspace, token: TokenRecord },
  success: Workspace,
  error
})

const AddToken = Rpc.make("AddToken", {
  payload: { ...mutation, token: TokenRecord },
  success: Schema.Void,
  error
})

const RevokeToken = Rpc.make("RevokeToken", {
  payload: { ...mutation, tokenId: Schema.String },
  success: Schema.Void,
  error
})

/** Ids, cluster and namespace are chosen by the caller; `NameTaken` of kind `namespace` asks for the longer one. */
const CreateProject = Rpc.make("CreateProject", {
  payload: { ...mutation, project: Project },
  success: Project,
  error
})

const CreateEnvironment = Rpc.make("CreateEnvironment", {
  payload: { ...mutation, projectId: ProjectId, environment: Environment },
  success: Environment,
  error
})

/** Answers the service that has the slug already, when its type is the same. */
const CreateService = Rpc.make("CreateService", {
  payload: { ...mutation, projectId: ProjectId, service: Service },
  success: Service,
  error
})

const GetTenant = Rpc.make("GetTenant", { success: TenantState, error: ReadError })

export const TenantEntity = Entity.make("Tenant", [
  CreateWorkspace.annotateMerge(mutationAnnotations),
  AddToken.annotateMerge(mutationAnnotations),
  RevokeToken.annotateMerge(mutationAnnotations),
  CreateProject.annotateMerge(mutationAnnotations),
  CreateEnvironment.annotateMerge(mutationAnnotations),
  CreateService.annotateMerge(mutationAnnotations),
  GetTenant,
  InspectActivity,
  Passivate
])
