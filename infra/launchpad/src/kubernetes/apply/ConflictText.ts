/** Kubernetes' words for fields that an apply would take from other managers. Pure. */
import type { StatusCause } from "../ApiStatus.ts"
import type { ApplyConflict } from "./ServerSideApply.ts"

/** Plain writers are told with version and time, so that their write can be found. */
const named = ({ owner }: ApplyConflict): string =>
  owner.operation === "Apply"
    ? `"${owner.name}"`
    : `"${owner.name}"${owner.subresource === undefined ? "" : ` with subresource "${owner.subresource}"`}` +
      ` using ${owner.apiVersion}${owner.time === undefined ? "" : ` at ${owner.time}`}`

export const causes = (conflicts: ReadonlyArray<ApplyConflict>): ReadonlyArray<StatusCause> =>
  conflicts.flatMap((conflict) =>
    conflict.fields.map((field) => ({
      reason: "FieldManagerConflict",
      message: `conflict with ${named(conflict)}`,
      field
    }))
  )

export const message = (conflicts: ReadonlyArray<ApplyConflict>): string => {
  const count = conflicts.reduce((sum, { fields }) => sum + fields.length, 0)
  const [first] = conflicts
  if (count === 1 && first !== undefined) {
    return `Apply failed with 1 conflict: conflict with ${named(first)}: ${first.fields[0]}`
  }
  const lines = conflicts.flatMap((conflict) => [
    `conflicts with ${named(conflict)}:`,
    ...conflict.fields.map((field) => `- ${field}`)
  ])
  return `Apply failed with ${count} conflicts: ${lines.join("\n")}`
}
