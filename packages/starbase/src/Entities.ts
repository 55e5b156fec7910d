/** The three entity types and the clients to them, as one layer over a runner and a journal. */
import * as Layer from "effect/Layer"
import * as AppBehavior from "./entities/app/AppBehavior.ts"
import * as ClusterBehavior from "./entities/cluster/ClusterBehavior.ts"
import * as ResidentClusters from "./entities/ResidentClusters.ts"
import * as EntityClients from "./entities/EntityClients.ts"
import { lean } from "./entities/Surroundings.ts"
import * as TenantBehavior from "./entities/tenant/TenantBehavior.ts"

export const layerNoDeps = Layer.mergeAll(
  lean(AppBehavior.layerNoDeps),
  lean(ClusterBehavior.layerNoDeps),
  lean(TenantBehavior.layerNoDeps),
  EntityClients.layerNoDeps
).pipe(Layer.provideMerge(ResidentClusters.layer))
