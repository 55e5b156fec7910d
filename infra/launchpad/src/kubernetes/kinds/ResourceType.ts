/** What there is to know about one kind. A new kind is one value of this, listed in `ResourceTypes`. */
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import type { JsonObject } from "../JsonValue.ts"
import { ageColumn, nameColumn, type TableColumn } from "./TableColumn.ts"

export type Subresource = "status" | "scale" | "log"

export interface ResourceType {
  /** As controllers name it: `apps/deployments`; without a group `pods`. */
  readonly resource: string
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly singular: string
  readonly kind: string
  readonly namespaced: boolean
  readonly shortNames: ReadonlyArray<string>
  readonly categories: ReadonlyArray<string>
  readonly subresources: ReadonlyArray<Subresource>
  /** Kubernetes' own, as opposed to defined by a CustomResourceDefinition: no strategic merge for those, structural defaults. */
  readonly isBuiltIn: boolean
  /** Whether a change counts up `metadata.generation`; with annotations where Kubernetes counts those as well. */
  readonly generation: "none" | "spec" | "spec and annotations"
  /** Whether many can be deleted by one request. */
  readonly hasDeleteCollection: boolean
  /** Fields that a `fieldSelector` may name, beside name and namespace. */
  readonly selectable: ReadonlyArray<string>
  readonly columns: ReadonlyArray<TableColumn>
  /** Rule of `metadata.name`. */
  readonly nameRule: "subdomain" | "label" | "dns1035" | "path segment"
  /** What a passage through the kind's type fills in, on every write; whoever writes plainly owns it. */
  readonly defaults: (object: JsonObject) => JsonObject
  /** What the server decides after it noted who owns what, so that nobody does. `before` is absent for a new object. */
  readonly admit: (object: JsonObject, before: KubernetesObject | undefined) => JsonObject
  /** What is wrong with an object, or with what it becomes. Order is Kubernetes' own. */
  readonly validate: (
    object: KubernetesObject,
    before: KubernetesObject | undefined
  ) => ReadonlyArray<StatusCause>
}

export interface Definition {
  readonly kind: string
  readonly plural?: string
  readonly group?: string
  readonly version?: string
  readonly namespaced?: boolean
  readonly shortNames?: ReadonlyArray<string>
  readonly inAll?: boolean
  readonly subresources?: ReadonlyArray<Subresource>
  readonly isBuiltIn?: boolean
  readonly generation?: ResourceType["generation"]
  readonly hasDeleteCollection?: boolean
  readonly selectable?: ReadonlyArray<string>
  readonly columns?: ReadonlyArray<TableColumn>
  readonly nameRule?: ResourceType["nameRule"]
  readonly defaults?: ResourceType["defaults"]
  readonly admit?: ResourceType["admit"]
  readonly validate?: ResourceType["validate"]
}

export const define = (given: Definition): ResourceType => {
  const singular = given.kind.toLowerCase()
  const plural = given.plural ?? `${singular}s`
  const group = given.group ?? ""
  return {
    resource: group === "" ? plural : `${group}/${plural}`,
    group,
    version: given.version ?? "v1",
    plural,
    singular,
    kind: given.kind,
    namespaced: given.namespaced ?? true,
    shortNames: given.shortNames ?? [],
    categories: given.inAll === true ? ["all"] : [],
    subresources: given.subresources ?? [],
    isBuiltIn: given.isBuiltIn ?? true,
    generation: given.generation ?? "none",
    hasDeleteCollection: given.hasDeleteCollection ?? true,
    selectable: given.selectable ?? [],
    columns: given.columns ?? [nameColumn, ageColumn],
    nameRule: given.nameRule ?? "subdomain",
    defaults: given.defaults ?? ((object) => object),
    admit: given.admit ?? ((object) => object),
    validate: given.validate ?? (() => [])
  }
}

export const apiVersionOf = (type: ResourceType): string =>
  type.group === "" ? type.version : `${type.group}/${type.version}`
