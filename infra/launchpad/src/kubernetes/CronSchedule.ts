/**
 * Schedules of CronJobs: the five fields that Kubernetes reads, no more and no less, and its complaints about others. Pure.
 * @source the rules and words of the parser that Kubernetes uses, `robfig/cron` 3
 */
import * as Cron from "effect/Cron"
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Result from "effect/Result"

interface FieldBounds {
  readonly lowest: number
  readonly highest: number
  readonly names: ReadonlyArray<string>
}

const months = ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

const fields: ReadonlyArray<FieldBounds> = [
  { lowest: 0, highest: 59, names: [] },
  { lowest: 0, highest: 23, names: [] },
  { lowest: 1, highest: 31, names: [] },
  { lowest: 1, highest: 12, names: months },
  { lowest: 0, highest: 6, names: weekdays }
]

const shorthands: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *"
}

const number = (text: string): Result.Result<number, string> =>
  /^[+-]?\d+$/.test(text)
    ? Number(text) < 0
      ? Result.fail(`negative number (${Number(text)}) not allowed: ${text}`)
      : Result.succeed(Number(text))
    : Result.fail(
        `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`
      )

const value = (text: string, { names }: FieldBounds): Result.Result<number, string> => {
  const named = text === "" ? -1 : names.indexOf(text.toLowerCase())
  return named === -1 ? number(text) : Result.succeed(named)
}

/** One part between commas, in the one form in which nothing is left unsaid. */
const range = (part: string, bounds: FieldBounds): Result.Result<string, string> =>
  Result.gen(function* () {
    const [span = "", stepText, ...slashes] = part.split("/")
    const [low = "", high, ...hyphens] = span.split("-")
    const isStar = low === "*" || low === "?"
    const start = isStar ? bounds.lowest : yield* value(low, bounds)
    if (!isStar && hyphens.length > 0) return yield* Result.fail(`too many hyphens: ${part}`)
    const last = isStar ? bounds.highest : high === undefined ? start : yield* value(high, bounds)
    if (slashes.length > 0) return yield* Result.fail(`too many slashes: ${part}`)
    const step = stepText === undefined ? 1 : yield* number(stepText)
    const end = stepText !== undefined && high === undefined ? bounds.highest : last
    if (start < bounds.lowest) {
      return yield* Result.fail(`beginning of range (${start}) below minimum (${bounds.lowest}): ${part}`)
    }
    if (end > bounds.highest) {
      return yield* Result.fail(`end of range (${end}) above maximum (${bounds.highest}): ${part}`)
    }
    if (start > end) {
      return yield* Result.fail(`beginning of range (${start}) beyond end of range (${end}): ${part}`)
    }
    if (step === 0) return yield* Result.fail(`step of range should be a positive number: ${part}`)
    return isStar && step === 1 ? "*" : `${start}-${end}/${step}`
  })

/** The schedule in the form that is computed with, or what is wrong with it. */
const normalized = (schedule: string): Result.Result<string, string> => {
  if (schedule === "") return Result.fail("empty spec string")
  if (schedule.startsWith("@")) {
    const known = shorthands[schedule]
    return known === undefined ? Result.fail(`unrecognized descriptor: ${schedule}`) : Result.succeed(known)
  }
  const given = schedule.split(/\s+/).filter((field) => field !== "")
  if (given.length !== fields.length) {
    return Result.fail(`expected exactly 5 fields, found ${given.length}: [${given.join(" ")}]`)
  }
  const parts = given.map((field, index) => {
    const bounds = fields[index] ?? { lowest: 0, highest: 0, names: [] }
    return Result.map(
      Result.all(
        field
          .split(",")
          .filter((part) => part !== "")
          .map((part) => range(part, bounds))
      ),
      (all) => (all.includes("*") ? "*" : all.join(","))
    )
  })
  return Result.map(Result.all(parts), (all) => all.join(" "))
}

/** Times at which a schedule is due; UTC without a time zone. Fails with Kubernetes' complaint. */
export const parse = (schedule: string, timeZone?: string): Result.Result<Cron.Cron, string> =>
  Result.flatMap(normalized(schedule), (text) =>
    Result.mapError(Cron.parse(text, timeZone ?? "UTC"), ({ message }) => message)
  )

/** What is wrong with a time zone, if anything. */
export const timeZoneComplaint = (timeZone: string): string | undefined => {
  if (timeZone === "") return "timeZone must be nil or non-empty string"
  if (timeZone.toLowerCase() === "local") {
    return "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
  }
  const isKnown = /^[A-Za-z]/.test(timeZone) && Option.isSome(DateTime.zoneMakeNamed(timeZone))
  return isKnown ? undefined : `unknown time zone ${timeZone}`
}
