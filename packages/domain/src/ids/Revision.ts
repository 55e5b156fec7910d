/**
 * The number of a cluster's desired state, `<epoch>-<n>`. Within an epoch `n` only grows; a new epoch
 * (a restored database) means that no earlier number says anything about the present document.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** Eight lower-case hex digits. */
export const Epoch = Schema.String.check(Schema.isPattern(/^[0-9a-f]{8}$/))

/** An `Epoch`, a hyphen, and a decimal number without leading zeros. */
export const Revision = Schema.String.check(Schema.isPattern(/^[0-9a-f]{8}-(0|[1-9][0-9]{0,14})$/)).pipe(
  Schema.brand("Revision")
)
export type Revision = typeof Revision.Type

export interface RevisionParts {
  readonly epoch: string
  readonly n: number
}

/**
 * Not checked: a revision is compared with every pull.
 *
 * @param parts `epoch` is eight hex digits; `n` is a non-negative integer of at most 15 digits
 */
export const format = ({ epoch, n }: RevisionParts): Revision => `${epoch}-${n}` as Revision

/** Total, because the brand fixes the grammar. */
export const parse = (revision: Revision): RevisionParts => ({
  epoch: revision.slice(0, 8),
  n: Number(revision.slice(9))
})

/**
 * How `a` stands to `b`: negative, zero or positive within one epoch; `None` across epochs, where numbers do
 * not compare.
 */
export const compare = (a: Revision, b: Revision): Option.Option<number> => {
  const left = parse(a)
  const right = parse(b)
  return left.epoch === right.epoch ? Option.some(left.n - right.n) : Option.none()
}
