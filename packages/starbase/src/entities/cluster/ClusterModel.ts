/** The Cluster as the journal sees it. Pure. */
import type { EntityModel } from "../../journal/EntityModel.ts"
import { OutboxEffect } from "../../outbox/OutboxEffect.ts"
import { ClusterEvent, ClusterState, evolve, initial } from "./ClusterState.ts"

export const model: EntityModel<ClusterState, ClusterEvent, OutboxEffect> = {
  type: "Cluster",
  state: ClusterState,
  event: ClusterEvent,
  effect: OutboxEffect,
  initial,
  evolve,
  effects: (event) =>
    event._tag === "AppObserved"
      ? [{ _tag: "TellObserved", appId: event.observed.appId, observed: event.observed }]
      : [],
  reserves: () => [],
  releases: () => [],
  rows: (events, state) =>
    state.registration === null || !events.some(({ _tag }) => _tag === "ClusterRegistered")
      ? []
      : [
          {
            model: "cluster",
            key: state.registration.clusterId,
            parent: "all",
            row: {
              clusterId: state.registration.clusterId,
              name: state.registration.name,
              region: state.registration.region
            }
          }
        ]
}
