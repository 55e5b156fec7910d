/** Every entity type, as the rebuild of read models folds it. */
import { type EntityFold, foldOf } from "../journal/ReadModelFold.ts"
import * as AppModel from "./app/AppModel.ts"
import * as ClusterModel from "./cluster/ClusterModel.ts"
import * as TenantModel from "./tenant/TenantModel.ts"

export const folds: ReadonlyArray<EntityFold> = [
  foldOf(AppModel.model),
  foldOf(ClusterModel.model),
  foldOf(TenantModel.model)
]
