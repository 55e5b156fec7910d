/**
 * Kubernetes' and Envoy Gateway's published structure of a kind: what the local cluster serves, and for the others
 * `schemas.json`: Kubernetes 1.36, and of Envoy Gateway 1.9 the fields that our manifests use with the names of their
 * siblings. Reduced as infra/launchpad/src/kubernetes/README.md says.
 */
import * as SchemaRules from "@starform/launchpad/kubernetes/admission/SchemaRules"
import { type FieldSchema, ofKind } from "@starform/launchpad/kubernetes/schema/ResourceSchema"
import * as TypedContent from "@starform/launchpad/kubernetes/schema/TypedContent"
import { readFileSync } from "node:fs"
import type { ManifestObject } from "./Kustomization.ts"

const others = JSON.parse(readFileSync(new URL("./schemas.json", import.meta.url), "utf8")) as Readonly<
  Record<string, FieldSchema>
>

const schemaOf = (kind: string): FieldSchema | undefined => {
  const served = ofKind(kind)
  return served === "any" ? others[kind] : served
}

/** Unknown fields, wrong types, missing fields and values outside their limits, each in words. */
export const problemsOf = (object: ManifestObject): ReadonlyArray<string> => {
  const schema = schemaOf(object.kind)
  if (schema === undefined) return [`no schema of ${object.kind}`]
  const { problems } = TypedContent.read(object, schema, false)
  return [
    ...problems.map(({ expected, path, problem }) =>
      problem === "unknown" ? `${path}: unknown field` : `${path}: not of type ${expected}`
    ),
    ...SchemaRules.ofCustomKind(object, schema).map(({ field, message }) => `${field}: ${message}`)
  ]
}
