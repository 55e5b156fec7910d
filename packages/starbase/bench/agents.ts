/** The clusters of the pull benchmark and their agents' tokens: functions of a number, so that no process tells another. */
import { ClusterId } from "@starform/domain/ids/Ids"

const hex = (n: number) => n.toString(16).padStart(12, "0")

export const clusterIdOf = (n: number): ClusterId => ClusterId.make(`0198c0de-0000-7000-8007-${hex(n)}`)

export const tokenOf = (n: number): string => `sfc_${clusterIdOf(n)}_${String(n).padStart(43, "a")}`
