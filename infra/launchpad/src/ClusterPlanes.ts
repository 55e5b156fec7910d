/** Controllers, runtime and gateway of the local cluster, over its objects. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Layer from "effect/Layer"
import * as Controllers from "./controllers/Controllers.ts"
import * as ControllersConfig from "./controllers/ControllersConfig.ts"
import * as EventRecorder from "./controllers/EventRecorder.ts"
import * as Gateway from "./gateway/Gateway.ts"
import * as GatewayConfig from "./gateway/GatewayConfig.ts"
import * as ContainerLogs from "./runtime/ContainerLogs.ts"
import * as ContainerUsage from "./runtime/ContainerUsage.ts"
import * as Kubelet from "./runtime/Kubelet.ts"
import * as KubeletConfig from "./runtime/KubeletConfig.ts"
import * as OrphanRegister from "./runtime/OrphanRegister.ts"
import * as PodLogFiles from "./runtime/PodLogFiles.ts"
import * as PodUsage from "./runtime/PodUsage.ts"
import * as PortAllocator from "./runtime/PortAllocator.ts"
import * as UserIds from "./runtime/UserIds.ts"

export interface ClusterPlanesOptions {
  readonly kubelet: Partial<KubeletConfig.KubeletSettings> & { readonly directory: string }
  readonly gateway?: Partial<GatewayConfig.GatewaySettings>
  readonly controllers?: Partial<ControllersConfig.ControllersSettings>
}

/**
 * Provides `Gateway` (its address), `PodLogs` and `PodMetrics`; needs `ClusterObjects` and `ImageStore`. Building it ends orphans of an
 * earlier start and takes up the pods that are in the objects; closing it ends every process, the gateway last.
 */
export const layer = (options: ClusterPlanesOptions) => {
  const node = Layer.mergeAll(
    ContainerLogs.layerNoDeps,
    ContainerUsage.layerNoDeps,
    OrphanRegister.layerNoDeps,
    PortAllocator.layerNoDeps,
    UserIds.layerNoDeps
  ).pipe(Layer.provideMerge(KubeletConfig.layer(options.kubelet)), Layer.provideMerge(NodeFileSystem.layer))
  const settings = Layer.mergeAll(
    ControllersConfig.layer(options.controllers),
    GatewayConfig.layer(options.gateway)
  )
  return Layer.mergeAll(Kubelet.layerNoDeps, Controllers.layerNoDeps).pipe(
    Layer.provideMerge(PodLogFiles.layerNoDeps),
    Layer.provideMerge(PodUsage.layerNoDeps),
    Layer.provideMerge(Gateway.layerNoDeps),
    Layer.provide(EventRecorder.layerNoDeps),
    Layer.provide(node),
    Layer.provide(settings)
  )
}
