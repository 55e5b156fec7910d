/** What infra/kubernetes allows Shuttle, as Kubernetes' RBAC would answer. */
import { join } from "node:path"
import { type ManifestObject, render, root } from "./Kustomization.ts"

export interface Rule {
  readonly apiGroups: ReadonlyArray<string>
  readonly resources: ReadonlyArray<string>
  readonly verbs: ReadonlyArray<string>
  readonly resourceNames?: ReadonlyArray<string>
}

/** A request as an authorizer sees it; `resource` with its subresource, as `pods/log`. */
export interface Access {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly namespace: string | null
  readonly name: string | null
}

/** Rules with where they hold: `null` is everywhere. */
export interface Grant {
  readonly namespace: string | null
  readonly rules: ReadonlyArray<Rule>
}

interface Binding extends ManifestObject {
  readonly roleRef: { readonly kind: string; readonly name: string }
  readonly subjects: ReadonlyArray<{
    readonly kind: string
    readonly name: string
    readonly namespace: string
  }>
}

/** Everything that is bound to an account. */
export const grantsOf = (
  objects: ReadonlyArray<ManifestObject>,
  account: string,
  home: string
): ReadonlyArray<Grant> =>
  objects
    .filter((object): object is Binding => object.kind.endsWith("RoleBinding"))
    .filter(({ subjects }) => subjects.some(({ name, namespace }) => name === account && namespace === home))
    .map(({ metadata, roleRef }) => {
      const namespace = metadata.namespace ?? null
      const role = objects.find(
        (object) =>
          object.kind === roleRef.kind &&
          object.metadata.name === roleRef.name &&
          (roleRef.kind === "ClusterRole" || object.metadata.namespace === metadata.namespace)
      )
      if (role === undefined) throw new Error(`${metadata.name} binds ${roleRef.name}, which is not there`)
      return { namespace, rules: role["rules"] as ReadonlyArray<Rule> }
    })

export const shuttleGrants = grantsOf(render(join(root, "base/shuttle")), "shuttle", "starform-system")

/** @source https://kubernetes.io/docs/reference/access-authn-authz/rbac/ */
export const allows = (grants: ReadonlyArray<Grant>, access: Access): boolean =>
  grants.some(
    ({ namespace, rules }) =>
      (namespace === null || namespace === access.namespace) &&
      rules.some(
        (rule) =>
          rule.verbs.includes(access.verb) &&
          rule.apiGroups.includes(access.group) &&
          rule.resources.includes(access.resource) &&
          (rule.resourceNames === undefined ||
            (access.name !== null && rule.resourceNames.includes(access.name)))
      )
  )

const verbs: Readonly<Record<string, string>> = {
  POST: "create",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete"
}

/** `null` for a path that is no resource's. */
export const accessOf = (method: string, url: string): Access | null => {
  const { pathname, searchParams } = new URL(url, "http://cluster")
  const parts = pathname.split("/").filter((part) => part !== "")
  const isCore = parts[0] === "api"
  if (!isCore && parts[0] !== "apis") return null
  const group = isCore ? "" : (parts[1] ?? "")
  let rest = parts.slice(isCore ? 2 : 3)
  let namespace: string | null = null
  if (rest[0] === "namespaces" && rest.length > 2) {
    namespace = rest[1] ?? null
    rest = rest.slice(2)
  }
  const [plural, name = null, subresource] = rest
  if (plural === undefined) return null
  const read = name !== null ? "get" : searchParams.has("watch") ? "watch" : "list"
  const whole = method === "DELETE" && name === null ? "deletecollection" : verbs[method]
  return {
    verb: method === "GET" ? read : (whole ?? method),
    group,
    resource: subresource === undefined ? plural : `${plural}/${subresource}`,
    // A namespace itself is asked for in its own.
    namespace: plural === "namespaces" && namespace === null ? name : namespace,
    name
  }
}

/** As the refusal of an API server begins. */
export const refusal = ({ group, name, namespace, resource, verb }: Access): string =>
  `${resource}${group === "" ? "" : `.${group}`} ${name === null ? "" : `"${name}" `}is forbidden: Shuttle may not ${verb} it${
    namespace === null ? "" : ` in ${namespace}`
  } (infra/kubernetes/base/shuttle)`
