/**
 * Text that PostgreSQL can hold: without U+0000 and without half of a surrogate pair. What comes from outside with either
 * is refused at the door, or mended where refusing would silence an agent; behind the doors it would be a fault of ours.
 */

const replacement = "\ufffd"

export const isStorable = (text: string): boolean => !text.includes("\u0000") && text.isWellFormed()

/** With U+FFFD for what cannot be kept. */
export const storable = (text: string): string => text.replaceAll("\u0000", replacement).toWellFormed()

/** Whether every text of a JSON value is; of any depth, which a caller chooses. */
export const isStorableValue = (value: unknown): boolean => {
  const left: Array<unknown> = [value]
  while (left.length > 0) {
    const next = left.pop()
    if (typeof next === "string") {
      if (!isStorable(next)) return false
    } else if (typeof next === "object" && next !== null) {
      for (const [name, inner] of Object.entries(next)) {
        if (!isStorable(name)) return false
        left.push(inner)
      }
    }
  }
  return true
}
