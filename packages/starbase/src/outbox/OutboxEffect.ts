/**
 * Everything that an entity's event may cause outside the entity. Stored, so a rename is a migration. Each is
 * performed at least once and must be idempotent by its fields.
 */
import { AppId } from "@starform/domain/ids/AppId"
import { ClusterId, DeployId, WorkspaceId } from "@starform/domain/ids/Ids"
import { DeployKind } from "@starform/domain/model/Deploy"
import { ObservedApp } from "@starform/domain/observed/ObservedApp"
import * as Schema from "effect/Schema"
import { DesiredEntry } from "../desired/DesiredEntry.ts"

export const OutboxEffect = Schema.TaggedUnion({
  /** Starts the workflow of a deploy. Its id is the key: a second start joins the first. */
  StartDeploy: { appId: AppId, deployId: DeployId, kind: DeployKind },
  /** Tells the workflow of a deploy that the deploy has ended, whatever it waits for. */
  SettleDeploy: { deployId: DeployId },
  /** Ends the build of a deploy that was cancelled or superseded. */
  CancelBuild: { workspaceId: WorkspaceId, deployId: DeployId },
  /** Fenced by the entry's ordinal. */
  PutDesired: { clusterId: ClusterId, entry: DesiredEntry },
  /** Leaves a tombstone. Fenced by the ordinal. */
  RemoveDesired: { clusterId: ClusterId, appId: AppId, ordinal: Schema.Int },
  /** What the cluster's agent saw. Level-triggered. */
  TellObserved: { appId: AppId, observed: Schema.toType(ObservedApp) }
})
export type OutboxEffect = typeof OutboxEffect.Type
