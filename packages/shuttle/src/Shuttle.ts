/** The whole agent, from settings and two connections to its loops. Runs for as long as its scope lives. */
import type * as FileSystem from "effect/FileSystem"
import type * as HttpClient from "effect/http/HttpClient"
import type * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import * as CredentialPlace from "./credential/CredentialPlace.ts"
import * as HealthRoutes from "./health/HealthRoutes.ts"
import * as ClusterCache from "./kubernetes/ClusterCache.ts"
import * as KubernetesClient from "./kubernetes/KubernetesClient.ts"
import type { KubernetesConnection } from "./kubernetes/KubernetesConnection.ts"
import * as TenureOfSettings from "./leadership/TenureOfSettings.ts"
import * as GatewaySize from "./reconcile/GatewaySize.ts"
import * as ReconcileOutcomes from "./reconcile/ReconcileOutcomes.ts"
import * as Reconciler from "./reconcile/Reconciler.ts"
import * as CapacityReporter from "./reports/CapacityReporter.ts"
import * as SnapshotReporter from "./reports/SnapshotReporter.ts"
import * as StatusReporter from "./reports/StatusReporter.ts"
import type { ShuttleConfig } from "./ShuttleConfig.ts"
import * as AgentToken from "./starbase/AgentToken.ts"
import * as CredentialRotation from "./starbase/CredentialRotation.ts"
import * as DesiredStateHolder from "./starbase/DesiredStateHolder.ts"
import * as DesiredStatePull from "./starbase/DesiredStatePull.ts"
import * as StarbaseClient from "./starbase/StarbaseClient.ts"
import * as LastGoodState from "./storage/LastGoodState.ts"
import * as SnapshotBuffer from "./storage/SnapshotBuffer.ts"
import * as StateKey from "./storage/StateKey.ts"
import * as ShuttleTracing from "./ShuttleTracing.ts"

const cluster = KubernetesClient.layer.pipe(Layer.provideMerge(TenureOfSettings.layer))
const starbase = StarbaseClient.layer.pipe(
  Layer.provideMerge(AgentToken.layer),
  Layer.provide(CredentialPlace.layer)
)
const desired = DesiredStateHolder.layer.pipe(Layer.provide(LastGoodState.layer))
const disk = Layer.provideMerge(Layer.merge(desired, SnapshotBuffer.layer), StateKey.layer)

const ports = Layer.mergeAll(ClusterCache.layer, starbase, disk, ReconcileOutcomes.layer)
const loops = Layer.mergeAll(
  Reconciler.layer,
  GatewaySize.layer,
  StatusReporter.layer,
  SnapshotReporter.layer,
  CapacityReporter.layer,
  DesiredStatePull.layer,
  CredentialRotation.layer
)

type Loops =
  | Reconciler.Reconciler
  | StatusReporter.StatusReporter
  | SnapshotReporter.SnapshotReporter
  | CapacityReporter.CapacityReporter
  | DesiredStatePull.DesiredStatePull
  | CredentialRotation.CredentialRotation

/** The loops over whatever answers for the cluster's API; no server for its health. */
export const layerLoops: Layer.Layer<
  Loops,
  StateKey.StateFileUnusable,
  | ShuttleConfig
  | KubernetesClient.KubernetesClient
  | KubernetesConnection
  | HttpClient.HttpClient
  | FileSystem.FileSystem
  | Path.Path
> = loops.pipe(Layer.provide(ports), Layer.provide(TenureOfSettings.layer))

/** Needs its settings, where the cluster is, a way out to Starbase, and the disk; and a server for its health. */
export const layer: Layer.Layer<
  Loops,
  StateKey.StateFileUnusable,
  | ShuttleConfig
  | KubernetesConnection
  | HttpClient.HttpClient
  | HttpServer.HttpServer
  | FileSystem.FileSystem
  | Path.Path
> = HealthRoutes.layer.pipe(
  Layer.provideMerge(loops),
  Layer.provide(ports),
  Layer.provide(cluster),
  Layer.provide(ShuttleTracing.layer)
)
