/** When a `cron` service runs: the five fields that Kubernetes reads, checked as it checks them. Pure. */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

interface Field {
  readonly lowest: number
  readonly highest: number
  readonly names: ReadonlyArray<string>
}

/** Minute, hour, day of the month, month, day of the week; Sunday is 0 and never 7. */
const fields: ReadonlyArray<Field> = [
  { lowest: 0, highest: 59, names: [] },
  { lowest: 0, highest: 23, names: [] },
  { lowest: 1, highest: 31, names: [] },
  { lowest: 1, highest: 12, names: months },
  { lowest: 0, highest: 6, names: weekdays }
]

const macros = new Set(["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"])

const numberOf = (text: string, { highest, lowest, names }: Field): number | undefined => {
  const position = names.indexOf(text.toLowerCase())
  const value = position >= 0 ? position + lowest : /^\d{1,2}$/.test(text) ? Number(text) : undefined
  return value === undefined || value < lowest || value > highest ? undefined : value
}

const isRange = (text: string, field: Field): boolean => {
  if (text === "*" || text === "?") return true
  const [from = "", to, ...more] = text.split("-")
  const first = numberOf(from, field)
  const last = to === undefined ? first : numberOf(to, field)
  return more.length === 0 && first !== undefined && last !== undefined && first <= last
}

const isItem = (text: string, field: Field): boolean => {
  const [range = "", step, ...more] = text.split("/")
  const isStep = step === undefined || (/^\d{1,3}$/.test(step) && Number(step) > 0)
  return more.length === 0 && isStep && isRange(range, field)
}

/** @source Kubernetes' own parser of schedules (robfig/cron, standard form), without `@every` */
const isExpression = (text: string): boolean => {
  if (macros.has(text)) return true
  const parts = text.split(" ")
  return (
    parts.length === fields.length &&
    fields.every((field, index) => (parts[index] ?? "").split(",").every((item) => isItem(item, field)))
  )
}

const isTimeZone = (name: string): boolean =>
  /^[A-Z][A-Za-z0-9_+/-]*$/.test(name) && name !== "Local" && Option.isSome(DateTime.zoneMakeNamed(name))

/** `minute hour day month weekday` with single spaces, or a name such as `@daily`. */
export const CronExpression = Schema.String.check(
  Schema.isMaxLength(200),
  Schema.makeFilter((text) => isExpression(text), { expected: "five fields of cron, e.g. */5 * * * *" })
)

/** A name of the time zone database, e.g. `Europe/Berlin`. */
export const TimeZoneName = Schema.String.check(
  Schema.isMaxLength(64),
  Schema.makeFilter((name) => isTimeZone(name), { expected: "a time zone such as Europe/Berlin" })
)

/** What becomes of a run that is due while the one before it still runs. */
export const Concurrency = Schema.Literals(["allow", "forbid", "replace"])

export const Schedule = Schema.Struct({
  expression: CronExpression,
  /** `null` is UTC. */
  timeZone: Schema.NullOr(TimeZoneName),
  concurrency: Concurrency
})
export type Schedule = typeof Schedule.Type
