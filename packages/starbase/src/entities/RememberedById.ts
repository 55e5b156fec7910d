/** Values that are worth keeping for ids that are asked for again. Used for the clients of entities. */

/** Of one kind; twice as many may be in memory. A client takes about 1 kB. */
export const kept = 5_000

/** The same value for the same id, at least until `kept` others were asked for since. For functions of the id alone. */
export const remembered = <Id extends string, A>(make: (id: Id) => A): ((id: Id) => A) => {
  let recent = new Map<Id, A>()
  let earlier = new Map<Id, A>()
  return (id) => {
    const known = recent.get(id)
    if (known !== undefined) return known
    const value = earlier.get(id) ?? make(id)
    if (recent.size >= kept) {
      earlier = recent
      recent = new Map()
    }
    recent.set(id, value)
    return value
  }
}
