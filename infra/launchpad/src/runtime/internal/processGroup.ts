import * as process from "node:process"
import { carriesMarker, processEntries } from "./processTable.ts"

/**
 * Live processes that belong to a container: its group, its session, and whoever left both but was started with its
 * marker. Only processes younger than the container are looked at, so a reused id can never be taken for one.
 */
export const remainsOf = (leader: number, startTime: number, marker: string): ReadonlyArray<number> =>
  processEntries()
    .filter(
      (entry) =>
        entry.startTime >= startTime &&
        entry.pid !== process.pid &&
        (entry.group === leader || entry.session === leader || carriesMarker(entry.pid, marker))
    )
    .map((entry) => entry.pid)

/** Signals ids (a negative one is a group); one that is gone already is no error. */
export const signalGroup = (ids: ReadonlyArray<number>, signal: NodeJS.Signals): void => {
  for (const id of ids) {
    try {
      process.kill(id, signal)
    } catch (cause) {
      if (!(cause instanceof Error && "code" in cause && cause.code === "ESRCH")) {
        throw cause
      }
    }
  }
}
