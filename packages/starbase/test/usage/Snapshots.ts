/** Snapshots as an agent would send them. */
import { createHash, randomUUID } from "node:crypto"
import { Schema } from "effect"
import type * as AppId from "@starform/domain/ids/AppId"
import { WorkspaceId } from "@starform/domain/ids/Ids"
import { ProcessName } from "@starform/domain/ids/Slug"
import {
  minuteOf,
  type PodSnapshot,
  SnapshotBatch,
  SnapshotId,
  snapshotIdInput
} from "@starform/domain/observed/PodSnapshot"

export const withOwnId = (snapshot: Omit<PodSnapshot, "snapshotId">): PodSnapshot => ({
  ...snapshot,
  snapshotId: SnapshotId.make(createHash("sha256").update(snapshotIdInput(snapshot)).digest("hex"))
})

/** Of a pod of its own. */
export const snapshotOf = (
  app: AppId.AppKey,
  workspaceId: string,
  { atMs = Date.now(), podId = randomUUID() as string } = {}
): PodSnapshot =>
  withOwnId({
    workspaceId: WorkspaceId.make(workspaceId),
    projectId: app.projectId,
    environment: app.environment,
    serviceId: app.serviceId,
    process: ProcessName.make("web"),
    podId,
    phase: "Running",
    tier: "nova",
    cpuMillicores: 250,
    memoryMebibytes: 512,
    snapshotTimestamp: minuteOf(atMs)
  })

export const encodeBatch = Schema.encodeSync(Schema.fromJsonString(SnapshotBatch))
