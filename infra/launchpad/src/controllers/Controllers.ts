/** All controllers of the local cluster. They run until the layer's scope closes and keep no state of their own. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as AutoscalerController from "./AutoscalerController.ts"
import * as CronJobController from "./CronJobController.ts"
import * as DeploymentController from "./DeploymentController.ts"
import * as DisruptionBudgetController from "./DisruptionBudgetController.ts"
import * as EndpointSliceController from "./EndpointSliceController.ts"
import * as GatewayController from "./GatewayController.ts"
import * as JobController from "./JobController.ts"
import * as PodScheduler from "./PodScheduler.ts"
import * as ReplicaSetController from "./ReplicaSetController.ts"
import * as ResourceQuotaController from "./ResourceQuotaController.ts"

/** Needs `ClusterObjects`, `EventRecorder` and `ControllersConfig`. */
export const layerNoDeps = Layer.effectDiscard(
  Effect.all(
    [
      DeploymentController.start,
      ReplicaSetController.start,
      PodScheduler.start,
      EndpointSliceController.start,
      GatewayController.start,
      ResourceQuotaController.start,
      JobController.start,
      CronJobController.start,
      DisruptionBudgetController.start,
      AutoscalerController.start
    ],
    { discard: true }
  )
)
