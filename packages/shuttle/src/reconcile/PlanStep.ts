/** The steps of a plan, as values that can be printed, compared and run. */
import { type Manifest, referenceOf } from "../kubernetes/Manifest.ts"
import { keyOf, type ObjectReference } from "../kubernetes/ResourceKind.ts"

/** `absent`: is not there. `changed`: wanted differently. `drifted`: somebody else's doing. `unverified`: unknown since the start. */
export type ApplyCause = "absent" | "changed" | "drifted" | "unverified"

/**
 * The cluster decides on the number of copies of a Deployment from now on: the field is handed over at this number, because
 * server-side apply gives a field that nobody holds its default. `uid` is `null` for one that is not there yet.
 */
export interface HandOver {
  readonly replicas: number
  readonly uid: string | null
}

export type Step =
  | {
      readonly _tag: "Apply"
      readonly manifest: Manifest
      readonly cause: ApplyCause
      readonly handOver?: HandOver
    }
  | { readonly _tag: "Delete"; readonly reference: ObjectReference; readonly uid: string }
  | { readonly _tag: "SaveInventory"; readonly manifest: Manifest }

/** Steps of one wave have no order among themselves. */
export type Wave = ReadonlyArray<Step>

/** One line for a person, e.g. `apply Deployment/shop/web (drifted)`. */
export const describeStep = (step: Step): string => {
  switch (step._tag) {
    case "Apply":
      return `apply ${keyOf(referenceOf(step.manifest))} (${step.cause})`
    case "Delete":
      return `delete ${keyOf(step.reference)}`
    case "SaveInventory":
      return `save ${keyOf(referenceOf(step.manifest))}`
  }
}
