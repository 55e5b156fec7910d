/** The snapshots of one sweep: every pod of ours that exists, with what it requests. Pure; INV-REP-8. */
import type { ClusterId } from "@starform/domain/ids/Ids"
import {
  minuteOf,
  PodPhase,
  type PodSnapshot,
  SnapshotFacts,
  SnapshotId,
  snapshotIdInput
} from "@starform/domain/observed/PodSnapshot"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { sha256Hex } from "../hashing/Sha256.ts"
import type { ObjectIndex } from "../kubernetes/ObjectIndex.ts"
import type { ObservedObject } from "../kubernetes/ObservedObject.ts"
import { PodRequests } from "../kubernetes/PodRequests.ts"
import { type ResourceKind, writtenKinds } from "../kubernetes/ResourceKind.ts"
import { attributionOf } from "../manifests/ShuttleLabels.ts"

const decodeRequests = Schema.decodeUnknownOption(PodRequests)
const decodePhase = Schema.decodeUnknownOption(Schema.Struct({ phase: PodPhase }))
const decodeFacts = Schema.decodeUnknownOption(Schema.toType(SnapshotFacts))

const written: ReadonlySet<ResourceKind> = new Set(writtenKinds)

/**
 * Whether what made the pod was in the end made by us. The label alone can be copied. A pod that is ending may outlive
 * what made it, and counts until it is gone.
 */
const isOurs = (pod: ObservedObject, byUid: ReadonlyMap<string, ObservedObject>): boolean => {
  let maker: ObservedObject = pod
  while (maker.controllerUid !== null) {
    const next = byUid.get(maker.controllerUid)
    if (next === undefined || next === pod) return pod.deleting
    maker = next
  }
  return maker !== pod && written.has(maker.kind) && maker.ownedFields !== null
}

const snapshotOf = (pod: ObservedObject, clusterId: ClusterId, atMs: number): Option.Option<PodSnapshot> =>
  Option.gen(function* () {
    const { clusterId: labelled, ...attribution } = yield* attributionOf(pod.labels)
    const requests = yield* decodeRequests(pod.spec)
    const { phase } = yield* decodePhase(pod.status)
    // What has ended holds nothing of the cluster any more, however long its record is kept.
    if (labelled !== clusterId || phase === "Succeeded" || phase === "Failed") return yield* Option.none()
    const facts = yield* decodeFacts({
      ...attribution,
      ...requests,
      podId: pod.uid,
      phase,
      snapshotTimestamp: minuteOf(atMs)
    })
    return withId(facts)
  })

/** The same pod in the same minute always has the same id. */
export const withId = (facts: SnapshotFacts): PodSnapshot => ({
  ...facts,
  snapshotId: SnapshotId.make(sha256Hex(snapshotIdInput(facts)))
})

/** @param atMs of the sweep; only its minute matters */
export const podSnapshots = (
  index: ObjectIndex,
  clusterId: ClusterId,
  atMs: number
): ReadonlyArray<PodSnapshot> =>
  index.namespaces().flatMap((namespace) => {
    const objects = index.inNamespace(namespace)
    const byUid = new Map(objects.map((object) => [object.uid, object]))
    return objects
      .filter((object) => object.kind === "Pod" && isOurs(object, byUid))
      .flatMap((pod) => Option.toArray(snapshotOf(pod, clusterId, atMs)))
  })
