/**
 * That a pod existed in a minute, and what it requests: what usage is charged by. Existence counts, not utilisation; cost
 * comes from the requests, never from the name of the tier.
 *
 * @source reference specification §4.8, §6.3
 */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import { ProjectId, ServiceId, WorkspaceId } from "../ids/Ids.ts"
import { EnvironmentName, ProcessName } from "../ids/Slug.ts"
import * as SnakeCase from "../protocol/SnakeCase.ts"

/** Snapshots of one request; an agent with more pods sends more requests. */
export const snapshotsMax = 1000

/** Age from which a snapshot is no longer taken, and ahead of Starbase's clock up to which it is. */
export const snapshotAgeDaysMax = 7
export const snapshotAheadMinutesMax = 10

/** SHA-256 of `snapshotIdInput`, as 64 lower-case hex digits. */
export const SnapshotId = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)).pipe(
  Schema.brand("SnapshotId")
)
export type SnapshotId = typeof SnapshotId.Type

const textOfMinute = (atMs: number): string =>
  DateTime.formatIso(DateTime.makeUnsafe(Math.floor(atMs / 60_000) * 60_000)).replace(".000Z", "Z")

const millisOfText = (text: string): number => DateTime.toEpochMillis(DateTime.makeUnsafe(text))

/** A whole minute in UTC, as RFC 3339: a minute that is swept twice gives the same ids, and it has no second spelling. */
export const SnapshotMinute = Schema.String.check(
  Schema.isPattern(/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:00Z$/).abort(),
  Schema.makeFilter((text) => textOfMinute(millisOfText(text)) === text, {
    expected: "a day of the calendar"
  })
).pipe(Schema.brand("SnapshotMinute"))
export type SnapshotMinute = typeof SnapshotMinute.Type

/** @source Kubernetes API: core/v1 PodStatus.phase */
export const PodPhase = Schema.Literals(["Pending", "Running", "Succeeded", "Failed", "Unknown"])
export type PodPhase = typeof PodPhase.Type

/** The cluster's own id of a pod; at most 64 characters. */
export const PodId = Schema.String.check(Schema.isPattern(/^[0-9A-Za-z-]{1,64}$/))

/** What fits a 32-bit column: 2 million cores, 2 PiB. */
const Requested = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))

const facts = {
  workspaceId: WorkspaceId,
  projectId: ProjectId,
  environment: EnvironmentName,
  serviceId: ServiceId,
  process: ProcessName,
  podId: PodId,
  phase: PodPhase,
  /** Shown, never charged by. */
  tier: Schema.String.check(Schema.isMaxLength(63)),
  /** Of the whole pod, rounded up; 0 when it requests none. */
  cpuMillicores: Requested,
  memoryMebibytes: Requested,
  snapshotTimestamp: SnapshotMinute
}

/** All of a snapshot that its id does not follow from. */
export const SnapshotFacts = SnakeCase.struct(facts)
export type SnapshotFacts = typeof SnapshotFacts.Type

export const PodSnapshot = SnakeCase.struct({ snapshotId: SnapshotId, ...facts })
export type PodSnapshot = typeof PodSnapshot.Type

export const SnapshotBatch = SnakeCase.struct({
  snapshots: Schema.Array(PodSnapshot).check(Schema.isMaxLength(snapshotsMax))
})
export type SnapshotBatch = typeof SnapshotBatch.Type

/** What became of a batch: every snapshot in it is one of the three, and none needs to be sent again. */
export const SnapshotReceipt = SnakeCase.struct({
  stored: Schema.Int,
  /** Stored before. */
  repeated: Schema.Int,
  /** Of apps that are not this cluster's, with another id than their own, or too old; not stored. */
  refused: Schema.Int
})
export type SnapshotReceipt = typeof SnapshotReceipt.Type

/** One pod in one minute has one id, whoever computes it. All parts but the pod's id have a fixed length. */
export const snapshotIdInput = ({
  podId,
  projectId,
  serviceId,
  snapshotTimestamp
}: Pick<SnapshotFacts, "podId" | "projectId" | "serviceId" | "snapshotTimestamp">): string =>
  `${projectId}${serviceId}${podId}${snapshotTimestamp}`

/** @param atMs milliseconds since 1970; years 1970 to 9999 */
export const minuteOf = (atMs: number): SnapshotMinute => SnapshotMinute.make(textOfMinute(atMs))

/** Milliseconds since 1970. */
export const millisOf = (minute: SnapshotMinute): number => millisOfText(minute)
