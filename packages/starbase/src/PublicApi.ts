/** The public API as one layer over the directory, the catalog, the vault and the entities: routes, handlers, authentication. */
import * as Layer from "effect/Layer"
import * as AppHandlers from "./api/AppHandlers.ts"
import * as AuthenticationServer from "./api/AuthenticationServer.ts"
import * as BuildLogHandlers from "./api/BuildLogHandlers.ts"
import * as ClusterHandlers from "./api/ClusterHandlers.ts"
import * as OperatorRoutes from "./api/operator/OperatorRoutes.ts"
import * as RpcRoutes from "./api/RpcRoutes.ts"
import * as TenantHandlers from "./api/TenantHandlers.ts"

/** Adds its routes to the `HttpRouter`, as `AgentRoutes.layerRoutes` does. */
export const layerRoutes = Layer.mergeAll(
  OperatorRoutes.layerRoutes,
  RpcRoutes.layerNoDeps.pipe(
    Layer.provide([
      AppHandlers.layerNoDeps,
      BuildLogHandlers.layerNoDeps,
      TenantHandlers.layerNoDeps,
      ClusterHandlers.layerNoDeps,
      AuthenticationServer.layerNoDeps
    ])
  )
)
