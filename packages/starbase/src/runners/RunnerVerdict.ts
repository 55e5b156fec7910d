/** Which runners are to hold no shards because they and others do not reach each other. Pure. */
import type { RunnerFacts } from "./Drains.ts"

/** By observer: what it pinged, and whether that answered. A runner that is not named was not pinged yet. */
export type RunnerViews = ReadonlyMap<string, ReadonlyMap<string, boolean>>

interface Blame {
  readonly runner: RunnerFacts
  /** Runners with which it is not connected both ways, whichever of the two does not reach the other. */
  readonly severed: number
  /** Of these, those that do not reach it. */
  readonly missedBy: number
}

const blameOf = (views: RunnerViews, present: ReadonlyArray<RunnerFacts>, runner: RunnerFacts): Blame => {
  const misses = (from: string, to: string) => views.get(from)?.get(to) === false
  let severed = 0
  let missedBy = 0
  for (const { address } of present) {
    if (address === runner.address) continue
    const isMissed = misses(address, runner.address)
    if (isMissed) missedBy++
    if (isMissed || misses(runner.address, address)) severed++
  }
  return { runner, severed, missedBy }
}

/** Between two that are to blame alike, one that is not reached is worse: the other's own requests can be made at other doors. */
const byBlame = (a: Blame, b: Blame): number =>
  b.severed - a.severed || b.missedBy - a.missedBy || (a.runner.address < b.runner.address ? 1 : -1)

/** Who was taken out stays out while it is still not connected with somebody, or shards would move to and fro. */
const byHealth = (a: Blame, b: Blame): number =>
  Number(a.runner.healthy) - Number(b.runner.healthy) || byBlame(a, b)

/** Takes the worst one out again and again until every one of the rest reaches every other one. */
const takenOut = (
  runners: ReadonlyArray<RunnerFacts>,
  views: RunnerViews,
  worstFirst: (a: Blame, b: Blame) => number
): ReadonlyArray<RunnerFacts> => {
  let kept = runners
  const out: Array<RunnerFacts> = []
  for (;;) {
    const worst = kept
      .map((runner) => blameOf(views, kept, runner))
      .filter(({ severed }) => severed > 0)
      .sort(worstFirst)[0]
    if (worst === undefined) return out
    out.push(worst.runner)
    kept = kept.filter((runner) => runner !== worst.runner)
  }
}

/**
 * A few runners without which every runner reaches every other one: those that are out already where they are enough and no
 * more than must be, so that whoever judged first, from what it alone saw, does not decide who stays. A runner whose shard
 * group nobody else of the rest takes stays: shards that nobody holds help nobody. Whoever works it out from the same views
 * finds the same.
 *
 * @param runners those that refresh their locks; of others nobody needs to be told
 */
export const cutOff = (runners: ReadonlyArray<RunnerFacts>, views: RunnerViews): ReadonlySet<string> => {
  const [fewest, steady] = [takenOut(runners, views, byBlame), takenOut(runners, views, byHealth)]
  const out = steady.length <= fewest.length ? steady : fewest
  const kept = runners.filter((runner) => !out.includes(runner))
  const covered = new Set(kept.flatMap(({ groups }) => groups))
  const spared = out.toReversed().filter(({ groups }) => {
    const isNeeded = groups.some((group) => !covered.has(group))
    if (isNeeded) for (const group of groups) covered.add(group)
    return isNeeded
  })
  return new Set(out.filter((runner) => !spared.includes(runner)).map(({ address }) => address))
}

/** Shard groups that no healthy runner takes. */
export const abandoned = (runners: ReadonlyArray<RunnerFacts>): ReadonlySet<string> => {
  const groups = new Set(runners.flatMap((runner) => runner.groups))
  for (const runner of runners) {
    if (runner.healthy) for (const group of runner.groups) groups.delete(group)
  }
  return groups
}

/**
 * By address, the health that is to be written down. Only the singleton lets a runner back, but for one case: two that judged
 * at the same time may have taken each other out, and with them the last who could hold the singleton's own shard.
 *
 * @param out what `cutOff` answered for the same runners
 */
export const corrections = (
  runners: ReadonlyArray<RunnerFacts>,
  out: ReadonlySet<string>
): ReadonlyMap<string, boolean> => {
  const needed = abandoned(runners)
  return new Map(
    runners.flatMap(({ address, groups, healthy }): ReadonlyArray<readonly [string, boolean]> => {
      const isOut = out.has(address)
      if (healthy) return isOut ? [[address, false]] : []
      return !isOut && groups.some((group) => needed.has(group)) ? [[address, true]] : []
    })
  )
}
