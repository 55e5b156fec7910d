/** What fields must be like, and Kubernetes' complaints about those that are not, as the causes of a 422. Pure. */
import type { StatusCause } from "../ApiStatus.ts"
import { isObject } from "../JsonValue.ts"

const printed = (value: unknown): string => JSON.stringify(value) ?? "null"

export const invalid = (field: string, value: unknown, rule: string): StatusCause => ({
  reason: "FieldValueInvalid",
  message: `Invalid value: ${printed(value)}: ${rule}`,
  field
})

export const required = (field: string, rule?: string): StatusCause => ({
  reason: "FieldValueRequired",
  message: rule === undefined ? "Required value" : `Required value: ${rule}`,
  field
})

export const duplicate = (field: string, value: unknown): StatusCause => ({
  reason: "FieldValueDuplicate",
  message: `Duplicate value: ${printed(value)}`,
  field
})

export const forbidden = (field: string, rule: string): StatusCause => ({
  reason: "FieldValueForbidden",
  message: `Forbidden: ${rule}`,
  field
})

export const tooLong = (field: string, bytesMax: number): StatusCause => ({
  reason: "FieldValueTooLong",
  message: `Too long: may not be more than ${bytesMax} bytes`,
  field
})

export const unsupported = (
  field: string,
  value: unknown,
  supported: ReadonlyArray<string>
): StatusCause => ({
  reason: "FieldValueNotSupported",
  message: `Unsupported value: ${printed(value)}: supported values: ${supported.map(printed).join(", ")}`,
  field
})

const labelPattern = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
const dns1035Pattern = "[a-z]([-a-z0-9]*[a-z0-9])?"
const subdomainPattern = `${labelPattern}(\\.${labelPattern})*`
const labelValuePattern = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
const namePattern = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
const dataKeyPattern = "[-._a-zA-Z0-9]+"

const whole = (pattern: string) => new RegExp(`^${pattern}$`)
const label = whole(labelPattern)
const dns1035 = whole(dns1035Pattern)
const subdomain = whole(subdomainPattern)
const labelValue = whole(labelValuePattern)
const qualifiedName = whole(namePattern)
const dataKey = whole(dataKeyPattern)

const regex = (pattern: string) => `regex used for validation is '${pattern}')`

const labelRule =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end " +
  `with an alphanumeric character (e.g. 'my-name',  or '123-abc', ${regex(labelPattern)}`
const subdomainRule =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start " +
  `and end with an alphanumeric character (e.g. 'example.com', ${regex(subdomainPattern)}`
const dns1035Rule =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic " +
  `character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', ${regex(dns1035Pattern)}`
const labelValueRule =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start " +
  `and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', ${regex(labelValuePattern)}`
const namePartRule =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an " +
  `alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', ${regex(namePattern)}`
const dataKeyRule =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME', " +
  ` or 'key-name', ${regex(dataKeyPattern)}`

const bounded = (field: string, value: string, bytesMax: number): ReadonlyArray<StatusCause> =>
  value.length > bytesMax ? [invalid(field, value, `must be no more than ${bytesMax} bytes`)] : []

const named =
  (rule: RegExp, words: string, bytesMax: number) =>
  (field: string, value: string): ReadonlyArray<StatusCause> => [
    ...bounded(field, value, bytesMax),
    ...(rule.test(value) ? [] : [invalid(field, value, words)])
  ]

/** RFC 1123 label, RFC 1123 subdomain and RFC 1035 label: the three rules of names. */
export const dnsLabel = named(label, labelRule, 63)
export const dnsSubdomain = named(subdomain, subdomainRule, 253)
export const dns1035Label = named(dns1035, dns1035Rule, 63)

/** Whatever can stand in a path: names of the access kinds. */
export const pathSegment = (field: string, value: string): ReadonlyArray<StatusCause> => {
  if (value === "." || value === "..") return [invalid(field, value, `may not be '${value}'`)]
  return ["/", "%"]
    .filter((part) => value.includes(part))
    .map((part) => invalid(field, value, `may not contain '${part}'`))
}

/** A key of labels and annotations: a name, with a subdomain and a slash before it or not. */
export const qualifiedKey = (field: string, key: string): ReadonlyArray<StatusCause> => {
  const parts = key.split("/")
  const name = parts.at(-1) ?? ""
  const prefix = parts.length === 2 ? parts[0] : undefined
  if (parts.length > 2) {
    return [
      invalid(
        field,
        key,
        `a qualified name ${namePartRule.slice("name part ".length)} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`
      )
    ]
  }
  return [
    ...(prefix === undefined
      ? []
      : prefix === ""
        ? [invalid(field, key, "prefix part must be non-empty")]
        : subdomain.test(prefix)
          ? []
          : [invalid(field, key, `prefix part ${subdomainRule}`)]),
    ...(name === ""
      ? [invalid(field, key, "name part must be non-empty")]
      : name.length > 63
        ? [invalid(field, key, "name part must be no more than 63 bytes")]
        : []),
    ...(name === "" || qualifiedName.test(name) ? [] : [invalid(field, key, namePartRule)])
  ]
}

export const labels = (field: string, value: unknown): ReadonlyArray<StatusCause> =>
  Object.entries(isObject(value) ? value : {}).flatMap(([key, content]) => [
    ...qualifiedKey(field, key),
    ...bounded(field, String(content), 63),
    ...(labelValue.test(String(content)) ? [] : [invalid(field, content, labelValueRule)])
  ])

/** All annotations of an object together. @source Kubernetes' own limit */
const annotationBytesMax = 256 * 1024

export const annotations = (field: string, value: unknown): ReadonlyArray<StatusCause> => {
  const entries = Object.entries(isObject(value) ? value : {})
  const bytes = entries.reduce((sum, [key, content]) => sum + key.length + String(content).length, 0)
  return [
    ...entries.flatMap(([key]) => qualifiedKey(field, key.toLowerCase())),
    ...(bytes > annotationBytesMax ? [tooLong(field, annotationBytesMax)] : [])
  ]
}

/** All values of a ConfigMap or Secret together. @source Kubernetes' own limit */
const dataBytesMax = 1024 * 1024

/** Keys and size of a ConfigMap's or Secret's data. */
export const data = (fields: Readonly<Record<string, unknown>>): ReadonlyArray<StatusCause> => {
  const entries = Object.entries(fields).flatMap(([field, value]) =>
    Object.entries(isObject(value) ? value : {}).map(([key, content]) => ({ field, key, content }))
  )
  const bytes = entries.reduce((sum, { content }) => sum + String(content).length, 0)
  return [
    ...entries.flatMap(({ field, key }) => {
      const here = `${field}[${key}]`
      if (key.length > 253) return [invalid(here, key, "must be no more than 253 bytes")]
      if (key === "." || key === "..") return [invalid(here, key, `must not be '${key}'`)]
      return dataKey.test(key) ? [] : [invalid(here, key, dataKeyRule)]
    }),
    ...(bytes > dataBytesMax ? [tooLong("", dataBytesMax)] : [])
  ]
}

/** A number of replicas, seconds and the like. */
export const notNegative = (field: string, value: unknown): ReadonlyArray<StatusCause> =>
  typeof value === "number" && value < 0 ? [invalid(field, value, "must be greater than or equal to 0")] : []

export const port = (field: string, value: unknown): ReadonlyArray<StatusCause> =>
  typeof value === "number" && value >= 1 && value <= 65_535
    ? []
    : [invalid(field, value, "must be between 1 and 65535, inclusive")]
