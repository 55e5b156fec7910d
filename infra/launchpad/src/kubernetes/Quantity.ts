/** Amounts as Kubernetes writes them: `500m`, `128Mi`, `2`. Exact, in thousandths. Pure. */

const scales: Readonly<Record<string, bigint>> = {
  m: 1n,
  "": 1000n,
  k: 10n ** 6n,
  M: 10n ** 9n,
  G: 10n ** 12n,
  T: 10n ** 15n,
  P: 10n ** 18n,
  E: 10n ** 21n,
  Ki: 1000n << 10n,
  Mi: 1000n << 20n,
  Gi: 1000n << 30n,
  Ti: 1000n << 40n,
  Pi: 1000n << 50n,
  Ei: 1000n << 60n
}

const pattern = /^([+-]?)(\d*)(?:\.(\d*))?(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,3}))?$/

/** `undefined` for what is no quantity. Anything below a thousandth counts as one, as Kubernetes rounds up. */
export const parse = (value: unknown): bigint | undefined => {
  const match = pattern.exec(String(value))
  if (match === null) return undefined
  const [, sign, whole = "", fraction = "", suffix = "", exponent] = match
  if (whole === "" && fraction === "") return undefined
  const digits = BigInt(`${whole}${fraction}` || "0")
  const finer = suffix === "n" ? 6 : suffix === "u" ? 3 : 0
  const scale = finer > 0 ? 1n : (scales[suffix] ?? 1n)
  const power = Number(exponent ?? 0)
  const dividend = digits * scale * 10n ** BigInt(Math.max(0, power))
  const divisor = 10n ** BigInt(fraction.length + finer + Math.max(0, -power))
  const amount = (dividend + divisor - 1n) / divisor
  return sign === "-" ? -amount : amount
}

/** What is no quantity counts as nothing. */
export const amountOf = (value: unknown): bigint => parse(value) ?? 0n

const binary = ["Ei", "Pi", "Ti", "Gi", "Mi", "Ki"]
const decimal = ["E", "P", "T", "G", "M", "k", "", "m"]

/** In the canonical form: the largest unit of which it is a whole number, binary ones for what is counted so. */
export const format = (amount: bigint, inBytes: boolean): string => {
  if (amount === 0n) return "0"
  const units = inBytes && amount % 1000n === 0n ? [...binary, "", "m"] : decimal
  const unit = units.find((name) => amount % (scales[name] ?? 1n) === 0n) ?? "m"
  return `${amount / (scales[unit] ?? 1n)}${unit}`
}

const isBinary = (value: unknown): boolean => /[KMGTPE]i$/.test(String(value))

/** Whether amounts under this name are counted in bytes. */
export const isBinaryName = (name: string): boolean => /(memory|storage)$/.test(name)

/** The same amount in its canonical form; what is no quantity stays as it is. */
export const canonical = (value: unknown): unknown => {
  const amount = parse(value)
  return amount === undefined ? value : format(amount, isBinary(value))
}
