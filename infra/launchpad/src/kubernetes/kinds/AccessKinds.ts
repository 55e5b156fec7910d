/** The kinds of `rbac.authorization.k8s.io`: who may do what. Stored and checked; nothing here asks them. */
import * as FieldRules from "../admission/FieldRules.ts"
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { equal, type JsonObject } from "../JsonValue.ts"
import { fill, mapField, mapItems } from "./internal/fill.ts"
import { define, type Definition } from "./ResourceType.ts"
import { ageColumn, at, column, createdColumn, nameColumn, objectsAt, text, wide } from "./TableColumn.ts"

const group = "rbac.authorization.k8s.io"

const isEmpty = (value: unknown): boolean => !Array.isArray(value) || value.length === 0

const ruleCauses = (rule: JsonObject, field: string, namespaced: boolean): ReadonlyArray<StatusCause> => {
  const verbs = isEmpty(rule["verbs"])
    ? [FieldRules.required(`${field}.verbs`, "verbs must contain at least one value")]
    : []
  const urls = rule["nonResourceURLs"]
  if (!isEmpty(urls)) {
    const here = `${field}.nonResourceURLs`
    const isMixed = !["apiGroups", "resources", "resourceNames"].every((key) => isEmpty(rule[key]))
    return [
      ...verbs,
      ...(namespaced
        ? [FieldRules.invalid(here, urls, "namespaced rules cannot apply to non-resource URLs")]
        : []),
      ...(isMixed
        ? [
            FieldRules.invalid(
              here,
              urls,
              "rules cannot apply to both regular resources and non-resource URLs"
            )
          ]
        : [])
    ]
  }
  return [
    ...verbs,
    ...(isEmpty(rule["apiGroups"])
      ? [FieldRules.required(`${field}.apiGroups`, "resource rules must supply at least one api group")]
      : []),
    ...(isEmpty(rule["resources"])
      ? [FieldRules.required(`${field}.resources`, "resource rules must supply at least one resource")]
      : [])
  ]
}

const ofRules = (namespaced: boolean, definition: Definition) =>
  define({
    ...definition,
    group,
    namespaced,
    nameRule: "path segment",
    validate: (object) =>
      objectsAt(object, "rules").flatMap((rule, index) => ruleCauses(rule, `rules[${index}]`, namespaced)),
    columns: [nameColumn, createdColumn]
  })

export const role = ofRules(true, { kind: "Role" })

export const clusterRole = ofRules(false, { kind: "ClusterRole" })

/** Users and groups belong to this group, service accounts to none. */
const bindingDefaults = (object: JsonObject): JsonObject => {
  const named = mapItems(object, "subjects", (subject) =>
    subject["kind"] === "User" || subject["kind"] === "Group" ? fill(subject, { apiGroup: group }) : subject
  )
  return mapField(named, "roleRef", (reference) =>
    text(reference["apiGroup"], "") === "" ? { ...reference, apiGroup: group } : reference
  )
}

const subjectCauses = (subject: JsonObject, field: string): ReadonlyArray<StatusCause> => {
  const { kind, name, namespace, apiGroup } = subject
  const isAccount = kind === "ServiceAccount"
  const wanted = isAccount ? "" : group
  if (!isAccount && kind !== "User" && kind !== "Group") {
    return [FieldRules.unsupported(`${field}.kind`, kind ?? "", ["ServiceAccount", "User", "Group"])]
  }
  return [
    ...(text(name, "") === "" ? [FieldRules.required(`${field}.name`)] : []),
    ...(isAccount && text(name, "") !== "" ? FieldRules.dnsSubdomain(`${field}.name`, String(name)) : []),
    ...((apiGroup ?? "") === wanted
      ? []
      : [FieldRules.unsupported(`${field}.apiGroup`, apiGroup ?? "", [wanted])]),
    ...(isAccount && text(namespace, "") === "" ? [FieldRules.required(`${field}.namespace`)] : [])
  ]
}

const bindingCauses =
  (namespaced: boolean) =>
  (object: KubernetesObject, before: KubernetesObject | undefined): ReadonlyArray<StatusCause> => {
    const reference = object["roleRef"]
    const kinds = namespaced ? ["Role", "ClusterRole"] : ["ClusterRole"]
    const [apiGroup, kind, name] = ["apiGroup", "kind", "name"].map((key) => text(at(reference, key), ""))
    return [
      ...(apiGroup === group ? [] : [FieldRules.unsupported("roleRef.apiGroup", apiGroup, [group])]),
      ...(kinds.includes(kind ?? "") ? [] : [FieldRules.unsupported("roleRef.kind", kind, kinds)]),
      ...(name === "" ? [FieldRules.required("roleRef.name")] : []),
      ...objectsAt(object, "subjects").flatMap((subject, index) =>
        subjectCauses(subject, `subjects[${index}]`)
      ),
      ...(before === undefined || equal(before["roleRef"], reference)
        ? []
        : [FieldRules.invalid("roleRef", reference, "cannot change roleRef")])
    ]
  }

const subjectsOf = (object: KubernetesObject, kind: string): string =>
  objectsAt(object, "subjects")
    .filter((subject) => subject["kind"] === kind)
    .map(({ name, namespace }) => (kind === "ServiceAccount" ? `${String(namespace)}/` : "") + String(name))
    .join(", ")

const ofBinding = (namespaced: boolean, definition: Definition) =>
  define({
    ...definition,
    group,
    namespaced,
    nameRule: "path segment",
    defaults: bindingDefaults,
    validate: bindingCauses(namespaced),
    columns: [
      nameColumn,
      column(
        "Role",
        (object) => `${text(at(object, "roleRef", "kind"))}/${text(at(object, "roleRef", "name"))}`
      ),
      ageColumn,
      wide("Users", (object) => subjectsOf(object, "User")),
      wide("Groups", (object) => subjectsOf(object, "Group")),
      wide("ServiceAccounts", (object) => subjectsOf(object, "ServiceAccount"))
    ]
  })

export const roleBinding = ofBinding(true, { kind: "RoleBinding" })

export const clusterRoleBinding = ofBinding(false, { kind: "ClusterRoleBinding" })
