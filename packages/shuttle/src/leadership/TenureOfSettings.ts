/** Which tenure: by the Lease that the settings name, else alone. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { KubernetesConnection } from "../kubernetes/KubernetesConnection.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import * as ElectedTenure from "./ElectedTenure.ts"
import * as LeaseObject from "./LeaseObject.ts"
import { LeaseStore } from "./LeaseStore.ts"
import { layerAlone, Tenure } from "./Tenure.ts"

export const layer: Layer.Layer<Tenure, never, ShuttleConfig | KubernetesConnection> = Layer.unwrap(
  Effect.map(
    ShuttleConfig,
    ({ leaderLease }): Layer.Layer<Tenure, never, ShuttleConfig | KubernetesConnection> =>
      Option.isNone(leaderLease)
        ? layerAlone
        : Layer.effect(Tenure)(
            Effect.provideServiceEffect(ElectedTenure.make, LeaseStore, LeaseObject.make(leaderLease.value))
          )
  )
)
