/** Everything that a person or a program can ask of Starform, as one group: what `/rpc` serves and a client calls. */
import { AppRpcs } from "./AppRpcs.ts"
import { BuildLogRpcs } from "./BuildLogRpcs.ts"
import { ClusterRpcs } from "./ClusterRpcs.ts"
import { OperatorRpcs } from "./OperatorRpcs.ts"
import { TenantRpcs } from "./TenantRpcs.ts"

export const PublicRpcs = TenantRpcs.merge(AppRpcs, BuildLogRpcs, ClusterRpcs, OperatorRpcs)
