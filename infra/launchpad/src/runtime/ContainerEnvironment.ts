/**
 * The environment of a container (pure). Later sources win: base, image, `envFrom` in order, `env` in order,
 * `PORT`. `$(NAME)` refers to what was defined before; `$$` is a literal dollar sign (Kubernetes' expansion rules).
 */
import type { ContainerSpecification, EnvironmentVariable, PodSpecification } from "./PodSpecification.ts"

export type Variables = Readonly<Record<string, string>>

/** Contents of the ConfigMaps and Secrets that exist, by name, values in clear. */
export interface EnvironmentSources {
  readonly configMaps: ReadonlyMap<string, Variables>
  readonly secrets: ReadonlyMap<string, Variables>
}

export interface EnvironmentInput {
  readonly pod: PodSpecification
  readonly container: ContainerSpecification
  readonly sources: EnvironmentSources
  readonly nodeName: string
  readonly base: Variables
  readonly image: Variables
  /** Container port → real port. */
  readonly ports: Readonly<Record<string, number>>
}

export type ResolvedEnvironment =
  | { readonly _tag: "Resolved"; readonly variables: Variables }
  /** Becomes the message of `CreateContainerConfigError`. */
  | { readonly _tag: "Unresolved"; readonly problem: string }

/** All pods share the machine's loopback address. */
export const podAddress = "127.0.0.1"

export const expand = (text: string, variables: Variables): string =>
  text.replaceAll(/\$\$|\$\(([^)]*)\)/g, (match, name: string | undefined) =>
    name === undefined ? "$" : (variables[name] ?? match)
  )

const keyed = (path: string, field: string): string | undefined =>
  new RegExp(`^metadata\\.${field}\\['(.+)'\\]$`).exec(path)?.[1]

const fieldOf = (input: EnvironmentInput, path: string): string | undefined => {
  const { metadata, spec } = input.pod
  const label = keyed(path, "labels")
  const annotation = keyed(path, "annotations")
  if (label !== undefined) {
    return metadata.labels[label] ?? ""
  }
  if (annotation !== undefined) {
    return metadata.annotations[annotation] ?? ""
  }
  const fields: Record<string, string> = {
    "metadata.name": metadata.name,
    "metadata.namespace": metadata.namespace,
    "metadata.uid": metadata.uid,
    "spec.nodeName": input.nodeName,
    "spec.serviceAccountName": spec.serviceAccountName,
    "status.hostIP": podAddress,
    "status.podIP": podAddress,
    "status.podIPs": podAddress
  }
  return fields[path]
}

type Found = { readonly value: string | undefined } | { readonly problem: string }

const fromKey = (
  kind: "configmap" | "secret",
  objects: ReadonlyMap<string, Variables>,
  reference: { readonly name: string; readonly key: string; readonly optional: boolean },
  namespace: string
): Found => {
  const object = objects.get(reference.name)
  const value = object?.[reference.key]
  if (value !== undefined || reference.optional) {
    return { value }
  }
  const title = kind === "secret" ? "Secret" : "ConfigMap"
  return {
    problem:
      object === undefined
        ? `${kind} "${reference.name}" not found`
        : `couldn't find key ${reference.key} in ${title} ${namespace}/${reference.name}`
  }
}

const valueOf = (input: EnvironmentInput, variable: EnvironmentVariable, defined: Variables): Found => {
  const source = variable.valueFrom
  const namespace = input.pod.metadata.namespace
  if (source?.secretKeyRef !== undefined) {
    return fromKey("secret", input.sources.secrets, source.secretKeyRef, namespace)
  }
  if (source?.configMapKeyRef !== undefined) {
    return fromKey("configmap", input.sources.configMaps, source.configMapKeyRef, namespace)
  }
  if (source?.fieldRef !== undefined) {
    const value = fieldOf(input, source.fieldRef.fieldPath)
    return value === undefined
      ? { problem: `unsupported fieldPath: ${source.fieldRef.fieldPath}` }
      : { value }
  }
  return source === undefined
    ? { value: expand(variable.value, defined) }
    : { problem: `unsupported source of variable ${variable.name}` }
}

const portVariable = (input: EnvironmentInput, told: string | undefined): Variables => {
  const declared = input.container.ports.map((port) => String(port.containerPort))
  const port = told === undefined ? declared[0] : declared.find((one) => one === told)
  const real = port === undefined ? undefined : input.ports[port]
  return real === undefined ? {} : { PORT: String(real) }
}

/** Deterministic; never looks at the platform's own environment (INV-RUN-3). */
export const resolveEnvironment = (input: EnvironmentInput): ResolvedEnvironment => {
  const variables: Record<string, string> = { ...input.base, ...input.image }
  for (const source of input.container.envFrom) {
    for (const [kind, reference, objects] of [
      ["configmap", source.configMapRef, input.sources.configMaps],
      ["secret", source.secretRef, input.sources.secrets]
    ] as const) {
      const object = reference === undefined ? undefined : objects.get(reference.name)
      if (reference !== undefined && object === undefined && !reference.optional) {
        return { _tag: "Unresolved", problem: `${kind} "${reference.name}" not found` }
      }
      for (const [key, value] of Object.entries(object ?? {})) {
        variables[`${source.prefix}${key}`] = value
      }
    }
  }
  for (const variable of input.container.env) {
    const found = valueOf(input, variable, variables)
    if ("problem" in found) {
      return { _tag: "Unresolved", problem: found.problem }
    }
    if (found.value !== undefined) {
      variables[variable.name] = found.value
    }
  }
  return { _tag: "Resolved", variables: { ...variables, ...portVariable(input, variables["PORT"]) } }
}

/** Names of the objects that the container's environment needs. */
export const environmentReferences = (
  container: ContainerSpecification
): { readonly configMaps: ReadonlyArray<string>; readonly secrets: ReadonlyArray<string> } => ({
  configMaps: [
    ...container.envFrom.flatMap((source) => source.configMapRef?.name ?? []),
    ...container.env.flatMap((variable) => variable.valueFrom?.configMapKeyRef?.name ?? [])
  ],
  secrets: [
    ...container.envFrom.flatMap((source) => source.secretRef?.name ?? []),
    ...container.env.flatMap((variable) => variable.valueFrom?.secretKeyRef?.name ?? [])
  ]
})
