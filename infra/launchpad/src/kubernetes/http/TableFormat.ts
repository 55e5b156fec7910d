/** Lists as tables, which is what `kubectl get` asks for, and as metadata alone. Pure. */
import type { KubernetesObject } from "../ClusterObjects.ts"
import type { ResourceType } from "../kinds/ResourceType.ts"

export interface TableOptions {
  readonly metadata: Readonly<Record<string, unknown>>
  readonly nowMs: number
  /** Rows after the first of a watch come without the columns. */
  readonly withColumns: boolean
}

export const table = (
  type: ResourceType,
  objects: ReadonlyArray<KubernetesObject>,
  options: TableOptions
) => ({
  kind: "Table",
  apiVersion: "meta.k8s.io/v1",
  metadata: options.metadata,
  columnDefinitions: options.withColumns
    ? type.columns.map(({ name, type: kind, format, priority }) => ({
        name,
        type: kind,
        format,
        priority
      }))
    : null,
  rows: objects.map((object) => ({
    cells: type.columns.map(({ cell }) => cell(object, options.nowMs)),
    object: partial(object)
  }))
})

/** Metadata alone. */
export const partial = (object: KubernetesObject) => ({
  kind: "PartialObjectMetadata",
  apiVersion: "meta.k8s.io/v1",
  metadata: object.metadata
})
