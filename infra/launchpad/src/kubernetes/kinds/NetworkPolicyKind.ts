/** `NetworkPolicy`: who may talk to whom. Stored and checked; one machine's loopback enforces none. */
import { isIP } from "node:net"
import * as FieldRules from "../admission/FieldRules.ts"
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { isObject, type JsonObject } from "../JsonValue.ts"
import { fill, mapField, mapItems } from "./internal/fill.ts"
import { define } from "./ResourceType.ts"
import { ageColumn, at, column, nameColumn, objectsAt, selectorText, text } from "./TableColumn.ts"

const directions = [
  ["ingress", "from"],
  ["egress", "to"]
] as const

const withProtocols = (rule: JsonObject): JsonObject =>
  mapItems(rule, "ports", (port) => fill(port, { protocol: "TCP" }))

const specDefaults = (spec: JsonObject): JsonObject => {
  const policyTypes = ["Ingress", ...(objectsAt(spec, "egress").length > 0 ? ["Egress"] : [])]
  return fill(mapItems(mapItems(spec, "ingress", withProtocols), "egress", withProtocols), { policyTypes })
}

const portCauses = (port: JsonObject, field: string): ReadonlyArray<StatusCause> => {
  const { port: first, endPort } = port
  const number = typeof first === "number" ? FieldRules.port(`${field}.port`, first) : []
  if (endPort === undefined) return number
  if (typeof first !== "number") {
    return [
      ...number,
      first === undefined
        ? FieldRules.required(`${field}.port`, "must be specified when `endPort` is specified")
        : FieldRules.invalid(`${field}.port`, first, "must be an integer when `endPort` is specified")
    ]
  }
  return [
    ...number,
    ...(Number(endPort) < first
      ? [FieldRules.invalid(`${field}.endPort`, endPort, "must be greater than or equal to `port`")]
      : FieldRules.port(`${field}.endPort`, endPort))
  ]
}

const isBlock = (text: string): boolean => {
  const [address = "", bits = "", ...more] = text.split("/")
  const version = isIP(address)
  return (
    version !== 0 && more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)
  )
}

const blockCauses = (field: string, value: unknown): ReadonlyArray<StatusCause> =>
  isBlock(text(value, ""))
    ? []
    : [FieldRules.invalid(field, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")]

const peerCauses = (peer: JsonObject, field: string): ReadonlyArray<StatusCause> => {
  const given = ["podSelector", "namespaceSelector", "ipBlock"].filter((key) => peer[key] !== undefined)
  const block = peer["ipBlock"]
  const except = at(block, "except")
  return [
    ...(isObject(block)
      ? [
          ...(text(block["cidr"], "") === ""
            ? [FieldRules.required(`${field}.ipBlock.cidr`)]
            : blockCauses(`${field}.ipBlock.cidr`, block["cidr"])),
          ...(Array.isArray(except) ? except : []).flatMap((value, index) =>
            blockCauses(`${field}.ipBlock.except[${index}]`, value)
          )
        ]
      : []),
    ...(given.length === 0 ? [FieldRules.required(field, "must specify a peer")] : []),
    ...(given.length > 1 && block !== undefined
      ? [FieldRules.forbidden(field, "may not specify both ipBlock and another peer")]
      : [])
  ]
}

const validate = (object: KubernetesObject): ReadonlyArray<StatusCause> =>
  directions.flatMap(([direction, peers]) =>
    objectsAt(object, "spec", direction).flatMap((rule, index) => {
      const here = `spec.${direction}[${index}]`
      return [
        ...objectsAt(rule, "ports").flatMap((port, nth) => portCauses(port, `${here}.ports[${nth}]`)),
        ...objectsAt(rule, peers).flatMap((peer, nth) => peerCauses(peer, `${here}.${peers}[${nth}]`))
      ]
    })
  )

export const networkPolicy = define({
  kind: "NetworkPolicy",
  plural: "networkpolicies",
  group: "networking.k8s.io",
  shortNames: ["netpol"],
  generation: "spec",
  defaults: (object) => mapField(object, "spec", specDefaults),
  validate,
  columns: [
    nameColumn,
    column("Pod-Selector", (object) => text(selectorText(at(object, "spec", "podSelector")))),
    ageColumn
  ]
})
