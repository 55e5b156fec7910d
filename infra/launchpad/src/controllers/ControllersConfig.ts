/** Settings of the controllers; every one has a default. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Layer from "effect/Layer"

export interface ControllersSettings {
  /** Every object is looked at again this often, whatever was announced. */
  readonly resync: Duration.Duration
  /** Keys of one controller that are reconciled at the same time. */
  readonly concurrency: number
  /** Delay after a failed reconcile; doubles up to the maximum. */
  readonly retryMin: Duration.Duration
  readonly retryMax: Duration.Duration
  /** Shortest requested delay; times in objects are whole seconds. */
  readonly requeueMin: Duration.Duration
  /** Delay before a job's pod is replaced that failed; doubles up to the maximum. */
  readonly jobBackOffFirst: Duration.Duration
  readonly jobBackOffMax: Duration.Duration
  /** How often autoscalers look (Kubernetes: `--horizontal-pod-autoscaler-sync-period`, 15 s). */
  readonly autoscalerPeriod: Duration.Duration
  /** Usage that differs less than this part of the target is on target. */
  readonly autoscalerTolerance: number
  /** Before fewer pods are wanted, fewer must have been enough for this long; a behavior may say otherwise. */
  readonly autoscalerDownWindow: Duration.Duration
  /** A pod's processor time counts once it is ready, or was ready after this long. */
  readonly autoscalerReadinessDelay: Duration.Duration
  readonly autoscalerInitialization: Duration.Duration
  /** Events older than this are removed (Kubernetes: `--event-ttl`, 1 h). */
  readonly eventRetention: Duration.Duration
  /** Series of equal events that are counted in one object; older series start a new one. */
  readonly eventSeriesMax: number
  /** Name of the one node that pods are assigned to. */
  readonly nodeName: string
  /** Gateway that routes attach to, created when it is missing. */
  readonly gatewayName: string
  readonly gatewayNamespace: string
  /** `controllerName` of the GatewayClasses that this cluster serves. */
  readonly gatewayController: string
}

export class ControllersConfig extends Context.Service<ControllersConfig, ControllersSettings>()(
  "@starform/launchpad/controllers/ControllersConfig"
) {}

export const defaults: ControllersSettings = {
  resync: Duration.seconds(30),
  concurrency: 8,
  retryMin: Duration.millis(50),
  retryMax: Duration.seconds(30),
  requeueMin: Duration.millis(100),
  jobBackOffFirst: Duration.seconds(10),
  jobBackOffMax: Duration.minutes(10),
  autoscalerPeriod: Duration.seconds(15),
  autoscalerTolerance: 0.1,
  autoscalerDownWindow: Duration.minutes(5),
  autoscalerReadinessDelay: Duration.seconds(30),
  autoscalerInitialization: Duration.minutes(5),
  eventRetention: Duration.hours(1),
  eventSeriesMax: 4096,
  nodeName: "launchpad",
  gatewayName: "starform",
  gatewayNamespace: "envoy-gateway-system",
  gatewayController: "starform.io/launchpad-gateway"
}

export const layer = (settings: Partial<ControllersSettings> = {}): Layer.Layer<ControllersConfig> =>
  Layer.succeed(ControllersConfig, { ...defaults, ...settings })
