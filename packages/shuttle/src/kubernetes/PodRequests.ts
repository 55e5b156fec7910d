/** What a pod requests, as the scheduler counts it. Pure; all that is kept of a pod's spec. */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** Of the whole pod, rounded up; 0 when it requests none. */
export const PodRequests = Schema.Struct({ cpuMillicores: Schema.Int, memoryMebibytes: Schema.Int })
export type PodRequests = typeof PodRequests.Type

const Quantities = Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite]))
const Resources = Schema.Struct({ requests: Schema.optionalKey(Quantities) })
const Container = Schema.Struct({
  restartPolicy: Schema.optionalKey(Schema.String),
  resources: Schema.optionalKey(Resources)
})

const PodSpec = Schema.Struct({
  containers: Schema.Array(Container),
  initContainers: Schema.optionalKey(Schema.Array(Container)),
  overhead: Schema.optionalKey(Quantities),
  /** Of the pod as one; goes before those of its containers. */
  resources: Schema.optionalKey(Resources)
})
type PodSpec = typeof PodSpec.Type

const decodeSpec = Schema.decodeUnknownOption(PodSpec)

const units: ReadonlyMap<string, number> = new Map([
  ["n", 1e-9],
  ["u", 1e-6],
  ["m", 1e-3],
  ["", 1],
  ["k", 1e3],
  ["M", 1e6],
  ["G", 1e9],
  ["T", 1e12],
  ["P", 1e15],
  ["E", 1e18],
  ["Ki", 2 ** 10],
  ["Mi", 2 ** 20],
  ["Gi", 2 ** 30],
  ["Ti", 2 ** 40],
  ["Pi", 2 ** 50],
  ["Ei", 2 ** 60]
])

/**
 * 0 for what is none.
 *
 * @source Kubernetes API: apimachinery resource.Quantity
 */
const quantity = (text: string | number | undefined): number => {
  const [, number = "0", exponent, unit = ""] =
    /^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:([eE][+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i))?$/.exec(
      String(text ?? "")
    ) ?? []
  return exponent === undefined ? Number(number) * (units.get(unit) ?? 0) : Number(`${number}${exponent}`)
}

type Resource = "cpu" | "memory"

const requestOf =
  (resource: Resource) =>
  ({ resources }: typeof Container.Type): number =>
    quantity(resources?.requests?.[resource])

/**
 * Containers and sidecars run together; each other init container runs alone, beside the sidecars before it.
 *
 * @source Kubernetes documentation: "Resource sharing within containers" of sidecar containers
 */
const ofContainers = (spec: PodSpec, resource: Resource): number => {
  const of = requestOf(resource)
  const sum = (values: ReadonlyArray<number>) => values.reduce((total, value) => total + value, 0)
  let sidecars = 0
  let starting = 0
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === "Always") sidecars += of(container)
    else starting = Math.max(starting, sidecars + of(container))
  }
  return Math.max(sidecars + sum(spec.containers.map(of)), starting)
}

const total = (spec: PodSpec, resource: Resource): number => {
  const asOne = spec.resources?.requests?.[resource]
  const running = asOne === undefined ? ofContainers(spec, resource) : quantity(asOne)
  return running + quantity(spec.overhead?.[resource])
}

/** Sums of decimals are not exact; a billionth is no millicore. */
const roundedUp = (value: number): number => Math.max(0, Math.min(Math.ceil(value - 1e-9), 2 ** 31 - 1))

/** `null` for what is no pod's spec. */
export const podRequests = (spec: unknown): PodRequests | null =>
  Option.getOrNull(
    Option.map(decodeSpec(spec), (known) => ({
      cpuMillicores: roundedUp(total(known, "cpu") * 1000),
      memoryMebibytes: roundedUp(total(known, "memory") / 2 ** 20)
    }))
  )
