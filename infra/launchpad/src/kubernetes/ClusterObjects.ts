/**
 * In-process access to the local cluster's objects, for its controllers, runtime and gateway: same validation,
 * defaulting, resource versions and watch order as over HTTP, without serialisation.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type { ApiStatus } from "./ApiStatus.ts"

export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}

export interface ObjectMeta {
  readonly name: string
  readonly namespace?: string
  readonly uid: string
  readonly resourceVersion: string
  readonly generation?: number
  readonly creationTimestamp: string
  readonly deletionTimestamp?: string
  readonly deletionGracePeriodSeconds?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: ReadonlyArray<string>
  readonly ownerReferences?: ReadonlyArray<OwnerReference>
  readonly generateName?: string
  readonly managedFields?: ReadonlyArray<unknown>
}

export interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly [field: string]: unknown
}

/** Plural with its group: `pods`, `apps/deployments`, `discovery.k8s.io/endpointslices`, … */
export type ResourceName = string

export interface ObjectKey {
  readonly resource: ResourceName
  readonly namespace?: string
  readonly name: string
}

export interface ObjectEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED"
  readonly object: KubernetesObject
}

export interface ListFilter {
  readonly namespace?: string
  /** As in the query parameter `labelSelector`. */
  readonly labelSelector?: string
}

export class ClusterObjects extends Context.Service<
  ClusterObjects,
  {
    readonly get: (key: ObjectKey) => Effect.Effect<Option.Option<KubernetesObject>>
    readonly list: (
      resource: ResourceName,
      filter?: ListFilter
    ) => Effect.Effect<ReadonlyArray<KubernetesObject>>
    /** The objects that exist as `ADDED`, then every later change in order, none missed. Ends with the scope only. */
    readonly changes: (resource: ResourceName) => Stream.Stream<ObjectEvent>
    readonly create: (resource: ResourceName, object: unknown) => Effect.Effect<KubernetesObject, ApiStatus>
    /**
     * Read, change, write; again after a conflict. `f` answers `undefined` for "leave it". With `subresource: "status"`
     * only `status` is written; `"scale"` says on whose behalf `spec.replicas` is. `None` when there is no such object. What `f` lists is of the moment of the write.
     */
    readonly modify: (
      key: ObjectKey,
      f: (
        object: KubernetesObject,
        list: (resource: ResourceName) => ReadonlyArray<KubernetesObject>
      ) => KubernetesObject | undefined,
      options?: { readonly subresource?: "status" | "scale" }
    ) => Effect.Effect<Option.Option<KubernetesObject>, ApiStatus>
    /** Nothing to remove is not an error. A `uid` that does not match is a conflict. */
    readonly remove: (
      key: ObjectKey,
      options?: { readonly uid?: string; readonly gracePeriodSeconds?: number }
    ) => Effect.Effect<void, ApiStatus>
  }
>()("@starform/launchpad/kubernetes/ClusterObjects") {}
