/** What manifests depend on beside the desired app. */
import type { Settings } from "../ShuttleConfig.ts"

export type ManifestSettings = Pick<
  Settings,
  | "clusterId"
  | "cronDeadline"
  | "cronStartingDeadline"
  | "egressExcept"
  | "gatewayName"
  | "gatewayNamespace"
  | "podUser"
  | "preStopWait"
  | "progressMargin"
  | "terminationGrace"
>
