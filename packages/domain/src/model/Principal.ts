/** Who acts. Made by authentication alone; a public protocol has no field for it. */
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import { ClusterId, WorkspaceId } from "../ids/Ids.ts"

/**
 * `Operator`: runs Starform itself. `Token`: a token of one workspace. `Agent`: the Shuttle of one cluster.
 * `System`: Starform's own workflows and relays, acting on an earlier decision of a person.
 */
export const Principal = Schema.TaggedUnion({
  Operator: {},
  Token: { workspaceId: WorkspaceId, tokenId: Schema.String, canWrite: Schema.Boolean },
  Agent: { clusterId: ClusterId },
  System: { part: Schema.String }
})
export type Principal = typeof Principal.Type

/** What journals and provenance annotations say about who it was; never a secret. */
export const describe = (principal: Principal): string => {
  switch (principal._tag) {
    case "Operator":
      return "operator"
    case "Token":
      return `token:${principal.tokenId}`
    case "Agent":
      return `agent:${principal.clusterId}`
    case "System":
      return `system:${principal.part}`
  }
}

/** The authenticated caller, supplied to a handler by its middleware: without that it cannot be mounted. */
export class CurrentPrincipal extends Context.Service<CurrentPrincipal, Principal>()(
  "@starform/domain/model/CurrentPrincipal"
) {}
