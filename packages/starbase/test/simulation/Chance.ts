/** Numbers that look random and are all decided by one seed (xoshiro128**). */
export interface Chance {
  /** In [0, 1). */
  readonly next: () => number
  /** In [0, n), whole. */
  readonly below: (n: number) => number
  /** In [low, high), not whole. */
  readonly between: (low: number, high: number) => number
  readonly is: (probability: number) => boolean
  readonly pick: <A>(items: ReadonlyArray<A>) => A
  /** Its own stream: what one part draws changes nothing for another. */
  readonly fork: (name: string) => Chance
}

/** splitmix32: spreads any seed over the whole state. */
const spread = (seed: number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return (mixed ^ (mixed >>> 16)) >>> 0
  }
}

const rotate = (value: number, by: number) => ((value << by) | (value >>> (32 - by))) >>> 0

/** FNV-1a, 32 bits. */
export const hashOf = (text: string, from = 0x811c9dc5): number => {
  let hash = from
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash >>> 0
}

export const chanceOf = (seed: number): Chance => {
  const draw = spread(seed)
  let [a, b, c, d] = [draw(), draw(), draw(), draw()]
  const next = () => {
    const result = Math.imul(rotate(Math.imul(b, 5) >>> 0, 7), 9) >>> 0
    const shifted = b << 9
    c = (c ^ a) >>> 0
    d = (d ^ b) >>> 0
    b = (b ^ c) >>> 0
    a = (a ^ d) >>> 0
    c = (c ^ shifted) >>> 0
    d = rotate(d, 11)
    return result / 0x1_0000_0000
  }
  const below = (n: number) => Math.floor(next() * n)
  return {
    next,
    below,
    between: (low, high) => low + next() * (high - low),
    is: (probability) => next() < probability,
    pick: (items) => items[below(items.length)]!,
    fork: (name) => chanceOf(hashOf(name, seed >>> 0))
  }
}
