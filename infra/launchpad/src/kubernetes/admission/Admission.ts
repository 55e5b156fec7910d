/** What is wrong with an object before it is stored, as the causes of a 422. Pure. */
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import type { ResourceType } from "../kinds/ResourceType.ts"
import * as ResourceSchema from "../schema/ResourceSchema.ts"
import * as FieldRules from "./FieldRules.ts"
import * as SchemaRules from "./SchemaRules.ts"

const nameRules = {
  label: FieldRules.dnsLabel,
  subdomain: FieldRules.dnsSubdomain,
  dns1035: FieldRules.dns1035Label,
  "path segment": FieldRules.pathSegment
}

const metadataCauses = (
  type: ResourceType,
  { metadata }: KubernetesObject,
  isNew: boolean
): ReadonlyArray<StatusCause> => [
  ...(isNew
    ? metadata.name === ""
      ? [FieldRules.required("metadata.name", "name or generateName is required")]
      : nameRules[type.nameRule]("metadata.name", metadata.name)
    : []),
  ...FieldRules.labels("metadata.labels", metadata.labels),
  ...FieldRules.annotations("metadata.annotations", metadata.annotations)
]

/** Causes of refusing an object, or what it becomes from what it was. Order is Kubernetes' own. */
export const causes = (
  type: ResourceType,
  object: KubernetesObject,
  before: KubernetesObject | undefined
): ReadonlyArray<StatusCause> => {
  const schema = ResourceSchema.ofKind(type.kind)
  return [
    ...metadataCauses(type, object, before === undefined),
    ...(type.isBuiltIn
      ? SchemaRules.ofBuiltInKind(object, schema)
      : SchemaRules.ofCustomKind(object, schema)),
    ...type.validate(object, before)
  ]
}
