/** The public API as one layer over the directory, the catalog, the vault and the entities: routes, handlers, authentication. */
import * as Layer from "effect/Layer"
import * as AppHandlers from "./api/AppHandlers.ts"
import * as AuthenticationServer from "./api/AuthenticationServer.ts"
import * as BuildLogHandlers from "./api/BuildLogHandlers.ts"
import * as ClusterHandlers from "./api/ClusterHandlers.ts"
import * as EntityWindow from "./api/operator/EntityWindow.ts"
import * as OperatorAudit from "./api/operator/OperatorAudit.ts"
import * as OperatorDesk from "./api/operator/OperatorDesk.ts"
import * as OperatorRoutes from "./api/operator/OperatorRoutes.ts"
import * as RunnerList from "./api/operator/RunnerList.ts"
import * as RunningDeploys from "./api/operator/RunningDeploys.ts"
import * as GatherFacts from "./api/operator/why/GatherFacts.ts"
import * as OperatorHandlers from "./api/OperatorHandlers.ts"
import * as RpcRoutes from "./api/RpcRoutes.ts"
import * as TenantHandlers from "./api/TenantHandlers.ts"

const desk = OperatorDesk.layerNoDeps.pipe(
  Layer.provideMerge(GatherFacts.layerNoDeps),
  Layer.provideMerge(
    Layer.mergeAll(
      EntityWindow.layerNoDeps,
      OperatorAudit.layerPostgres,
      RunnerList.layerNoDeps,
      RunningDeploys.layerNoDeps
    )
  )
)

/** Adds its routes to the `HttpRouter`, as `AgentRoutes.layerRoutes` does. */
export const layerRoutes = Layer.mergeAll(
  OperatorRoutes.layerRoutes,
  RpcRoutes.layerNoDeps.pipe(
    Layer.provide([
      AppHandlers.layerNoDeps,
      BuildLogHandlers.layerNoDeps,
      TenantHandlers.layerNoDeps,
      ClusterHandlers.layerNoDeps,
      OperatorHandlers.layerNoDeps,
      AuthenticationServer.layerNoDeps
    ])
  )
).pipe(Layer.provide(desk))
