/** `namespace/name`: what a controller is activated with. Cluster-scoped objects have an empty namespace. */
import type { KubernetesObject, ObjectKey, ResourceName } from "../../kubernetes/ClusterObjects.ts"

export const keyOf = (object: Pick<KubernetesObject, "metadata">): string =>
  `${object.metadata.namespace ?? ""}/${object.metadata.name}`

export const objectKey = (resource: ResourceName, key: string): ObjectKey => {
  const [namespace = "", name = ""] = key.split("/")
  return namespace === "" ? { resource, name } : { resource, namespace, name }
}

/** Key of the object that manages this one, when it is of that kind. */
export const ownerKey = (object: Pick<KubernetesObject, "metadata">, kind: string): ReadonlyArray<string> => {
  const owner = object.metadata.ownerReferences?.find(
    (reference) => reference.controller === true && reference.kind === kind
  )
  return owner === undefined ? [] : [`${object.metadata.namespace ?? ""}/${owner.name}`]
}
