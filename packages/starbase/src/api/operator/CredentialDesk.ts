/** What operators can do about the credential of a cluster's agent. Each asks the Cluster and shows it afterwards. */
import { NotFound } from "@starform/domain/errors/RequestErrors"
import type { ClusterId, RequestId } from "@starform/domain/ids/Ids"
import type { Principal } from "@starform/domain/model/Principal"
import * as Effect from "effect/Effect"
import type { EntityClients } from "../../entities/EntityClients.ts"
import type { OperatorAudit } from "./OperatorAudit.ts"

export const make = (audit: OperatorAudit["Service"], entities: EntityClients["Service"]) => {
  const show = (clusterId: ClusterId) => entities.cluster(clusterId, (cluster) => cluster.GetCluster())

  const settled = <E extends { readonly _tag: string }>(
    by: Principal,
    action: string,
    clusterId: ClusterId,
    act: Effect.Effect<void, E | NotFound>
  ) =>
    audit.record(
      by,
      action,
      `Cluster ${clusterId}`,
      act.pipe(
        Effect.catchIf(
          (error): error is NotFound => error._tag === "NotFound",
          () => Effect.fail(new NotFound({ kind: "cluster", name: clusterId }))
        ),
        Effect.andThen(show(clusterId))
      )
    )

  return {
    cluster: (by: Principal, clusterId: ClusterId) =>
      audit.record(by, "cluster", `Cluster ${clusterId}`, show(clusterId)),

    issueJoinToken: (by: Principal, clusterId: ClusterId, requestId: RequestId, joinTokenHash: string) =>
      settled(
        by,
        "issue-join-token",
        clusterId,
        entities
          .cluster(clusterId, (cluster) =>
            cluster.IssueJoinToken({ requestId, principal: by, joinTokenHash })
          )
          .pipe(Effect.catchTag("Superseded", Effect.die))
      ),

    rotateCredential: (by: Principal, clusterId: ClusterId, requestId: RequestId) =>
      settled(
        by,
        "rotate-credential",
        clusterId,
        entities
          .cluster(clusterId, (cluster) => cluster.RotateAgentCredential({ requestId, principal: by }))
          .pipe(Effect.catchTag("Superseded", Effect.die))
      ),

    revokeCredential: (by: Principal, clusterId: ClusterId, requestId: RequestId) =>
      settled(
        by,
        "revoke-credential",
        clusterId,
        entities
          .cluster(clusterId, (cluster) => cluster.RevokeAgentCredential({ requestId, principal: by }))
          .pipe(Effect.catchTag("Superseded", Effect.die))
      )
  }
}
