/** Which drained runners are really to take no shards. Pure. */

export interface RunnerFacts {
  readonly address: string
  readonly groups: ReadonlyArray<string>
  readonly healthy: boolean
}

/**
 * The drains that are honoured: those of runners whose every shard group is taken care of by a healthy runner that is
 * not drained. Shards that nobody holds help nobody.
 */
export const honoured = (
  runners: ReadonlyArray<RunnerFacts>,
  drained: ReadonlySet<string>
): ReadonlySet<string> => {
  const covered = new Set(
    runners.filter(({ address, healthy }) => healthy && !drained.has(address)).flatMap(({ groups }) => groups)
  )
  return new Set(
    runners
      .filter(({ address, groups }) => drained.has(address) && groups.every((group) => covered.has(group)))
      .map(({ address }) => address)
  )
}
