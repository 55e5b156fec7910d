/** Ranges of addresses as Kubernetes takes them: `10.1.0.0/16`, `fc00::/7`, no bit set beyond the prefix. */
import * as Schema from "effect/Schema"

const ipv4 = (text: string): ReadonlyArray<number> | undefined => {
  const parts = text.split(".")
  const isWhole = parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))
  const numbers = parts.map(Number)
  return isWhole && numbers.every((part) => part < 256) ? numbers : undefined
}

/** Sixteen bytes of an address without an IPv4 tail. */
const ipv6 = (text: string): ReadonlyArray<number> | undefined => {
  const halves = text.split("::")
  if (halves.length > 2) return undefined
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")))
  const given = groups.flat()
  const missing = 8 - given.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  if (!given.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return undefined
  const [head = [], tail = []] = groups
  return [...head, ...Array.from({ length: missing }, () => "0"), ...tail].flatMap((group) => {
    const number = Number.parseInt(group, 16)
    return [number >> 8, number & 255]
  })
}

const isCidr = (text: string): boolean => {
  const [address = "", prefix = "", ...more] = text.split("/")
  const bytes = address.includes(":") ? ipv6(address) : ipv4(address)
  if (bytes === undefined || more.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(prefix)) return false
  const length = Number(prefix)
  return (
    length <= bytes.length * 8 &&
    bytes.every((byte, index) => {
      const kept = Math.min(8, Math.max(0, length - index * 8))
      return (byte & (255 >> kept)) === 0
    })
  )
}

export const Cidr = Schema.String.check(
  Schema.isMaxLength(64),
  Schema.makeFilter((text) => isCidr(text), { expected: "a range such as 10.1.0.0/16" })
)

/** Whether a range is of IPv6. */
export const isIpv6 = (cidr: string): boolean => cidr.includes(":")
