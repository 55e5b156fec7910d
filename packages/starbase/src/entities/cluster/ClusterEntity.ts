/** The protocol of the Cluster entity: the only file of this folder that others may import. */
import { Superseded } from "@starform/domain/errors/DeployErrors"
import { AgentNotServed, Unauthenticated } from "@starform/domain/errors/RequestErrors"
import { AppId } from "@starform/domain/ids/AppId"
import { TokenHash } from "@starform/domain/ids/Digest"
import { Revision } from "@starform/domain/ids/Revision"
import { StatusReport } from "@starform/domain/observed/ObservedApp"
import { Cluster } from "@starform/domain/protocol/ClusterRpcs"
import { AgentRelease } from "@starform/domain/protocol/VersionSkew"
import * as Entity from "effect/cluster/Entity"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import { DesiredEntry } from "../../desired/DesiredEntry.ts"
import {
  CommonError,
  InspectActivity,
  mutation,
  mutationAnnotations,
  Passivate,
  ReadError,
  waitingAnnotations
} from "../EntityMessage.ts"
import { ClusterState, Registration } from "./ClusterState.ts"
import { DesiredAnswer } from "./DesiredAnswer.ts"

export { DesiredAnswer } from "./DesiredAnswer.ts"

const error = Schema.Union([CommonError, Superseded])
const agentError = Schema.Union([CommonError, Unauthenticated, AgentNotServed])

/** The hash of the credential that a request of the agent came with, and what the agent says that it is. */
const agent = { agentTokenHash: Schema.String, agent: Schema.optionalKey(AgentRelease) }

/** Idempotent for the same name and region; another token hash replaces the agent's credential, none leaves it. */
const RegisterCluster = Rpc.make("RegisterCluster", {
  payload: { ...mutation, registration: Registration, epoch: Schema.String },
  success: Schema.Void,
  error
})

const PutDesired = Rpc.make("PutDesired", {
  payload: { ...mutation, entry: DesiredEntry },
  success: Schema.Void,
  error
})

const RemoveDesired = Rpc.make("RemoveDesired", {
  payload: { ...mutation, appId: AppId, ordinal: Schema.Int },
  success: Schema.Void,
  error
})

const ConfirmMassPrune = Rpc.make("ConfirmMassPrune", { payload: mutation, success: Schema.Void, error })

/** `epoch` is random and no part of what makes two requests the same; a repeat may bring another one. */
const RenewEpoch = Rpc.make("RenewEpoch", {
  payload: { ...mutation, epoch: Schema.String },
  success: Schema.Void,
  error
})

/** `InvalidInput` unless `epoch` is the present one. */
const ConfirmEpoch = Rpc.make("ConfirmEpoch", {
  payload: { ...mutation, epoch: Schema.String },
  success: Schema.Void,
  error
})

const IssueJoinToken = Rpc.make("IssueJoinToken", {
  payload: { ...mutation, joinTokenHash: TokenHash },
  success: Schema.Void,
  error
})

const RotateAgentCredential = Rpc.make("RotateAgentCredential", {
  payload: mutation,
  success: Schema.Void,
  error
})

const RevokeAgentCredential = Rpc.make("RevokeAgentCredential", {
  payload: mutation,
  success: Schema.Void,
  error
})

/** A join token is exchanged for a credential. */
const Join = Rpc.make("Join", {
  payload: {
    joinTokenHash: Schema.String,
    credentialHash: TokenHash,
    agent: Schema.optionalKey(AgentRelease)
  },
  success: Schema.Void,
  error: agentError
})

/** The agent's next credential. */
const OfferCredential = Rpc.make("OfferCredential", {
  payload: { ...agent, credentialHash: TokenHash },
  success: Schema.Void,
  error: agentError
})

const Report = Rpc.make("Report", {
  payload: { ...agent, report: Schema.toType(StatusReport) },
  success: Schema.Void,
  error: agentError
})

/** Whether that credential is this cluster's agent's, for what the agent says that is no matter of this entity. */
const IdentifyAgent = Rpc.make("IdentifyAgent", {
  payload: agent,
  success: Schema.Void,
  error: agentError
})

/** The blocking query: at once when there is something newer than `known`, else `Unchanged` after `waitMs`. */
const AwaitDesired = Rpc.make("AwaitDesired", {
  payload: {
    ...agent,
    known: Schema.NullOr(Revision),
    waitMs: Schema.Int,
    allowDelta: Schema.Boolean
  },
  success: DesiredAnswer,
  error: agentError
})

const GetCluster = Rpc.make("GetCluster", { success: Cluster, error: ReadError })

/** Everything, secrets as ciphertext. */
const GetClusterState = Rpc.make("GetClusterState", { success: ClusterState, error: ReadError })

export const ClusterEntity = Entity.make("Cluster", [
  RegisterCluster.annotateMerge(mutationAnnotations),
  PutDesired.annotateMerge(mutationAnnotations),
  RemoveDesired.annotateMerge(mutationAnnotations),
  ConfirmMassPrune.annotateMerge(mutationAnnotations),
  RenewEpoch.annotateMerge(mutationAnnotations),
  ConfirmEpoch.annotateMerge(mutationAnnotations),
  IssueJoinToken.annotateMerge(mutationAnnotations),
  RotateAgentCredential.annotateMerge(mutationAnnotations),
  RevokeAgentCredential.annotateMerge(mutationAnnotations),
  Join.annotateMerge(mutationAnnotations),
  OfferCredential.annotateMerge(mutationAnnotations),
  Report.annotateMerge(mutationAnnotations),
  AwaitDesired.annotateMerge(waitingAnnotations),
  IdentifyAgent,
  GetCluster,
  GetClusterState,
  InspectActivity,
  Passivate
])
