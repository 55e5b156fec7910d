/** What a Lease says of who leads, and what an agent writes into it. Pure. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

const text = Schema.Record(Schema.String, Schema.String)

/** @source Kubernetes API: coordination.k8s.io/v1 Lease */
export const WireLease = Schema.Struct({
  metadata: Schema.Struct({
    resourceVersion: Schema.String,
    labels: Schema.optionalKey(text),
    annotations: Schema.optionalKey(text)
  }),
  spec: Schema.optionalKey(
    Schema.Struct({
      holderIdentity: Schema.optionalKey(Schema.NullOr(Schema.String)),
      leaseDurationSeconds: Schema.optionalKey(Schema.NullOr(Schema.Int)),
      acquireTime: Schema.optionalKey(Schema.NullOr(Schema.String)),
      renewTime: Schema.optionalKey(Schema.NullOr(Schema.String)),
      leaseTransitions: Schema.optionalKey(Schema.NullOr(Schema.Int))
    })
  )
})
export type WireLease = typeof WireLease.Type

/** What is written. Times are for people: nobody decides by them. */
export interface LeaseClaim {
  /** Empty when nobody leads. */
  readonly holder: string
  readonly durationSeconds: number
  readonly acquireTime: string
  readonly renewTime: string
  /** How often the leader changed. */
  readonly transitions: number
}

export interface LeaseRecord extends Omit<LeaseClaim, "durationSeconds"> {
  /** `null` when the Lease does not say. */
  readonly durationSeconds: number | null
  /** A write names it, and fails when it is no longer the newest. */
  readonly version: string
  /** Of somebody else's making; written back as they are. */
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export const fromWire = ({ metadata, spec }: WireLease): LeaseRecord => ({
  holder: spec?.holderIdentity ?? "",
  durationSeconds: spec?.leaseDurationSeconds ?? null,
  acquireTime: spec?.acquireTime ?? "",
  renewTime: spec?.renewTime ?? "",
  transitions: spec?.leaseTransitions ?? 0,
  version: metadata.resourceVersion,
  labels: metadata.labels ?? {},
  annotations: metadata.annotations ?? {}
})

/** The spec as it is sent. A Lease without a holder names none: an empty name is not taken everywhere. */
export const toSpec = ({ acquireTime, durationSeconds, holder, renewTime, transitions }: LeaseClaim) => ({
  ...(holder === "" ? {} : { holderIdentity: holder }),
  leaseDurationSeconds: durationSeconds,
  acquireTime,
  renewTime,
  leaseTransitions: transitions
})

/** @source Kubernetes API: meta/v1 MicroTime has exactly six digits of a second */
const microTime = (ms: number): string =>
  DateTime.formatIso(DateTime.makeUnsafe(ms)).replace(
    /(\.\d{3})?Z$/,
    (_, fraction = ".000") => `${fraction}000Z`
  )

/** `before` is `null` when there is no Lease yet. */
export const claimed = (
  before: LeaseRecord | null,
  identity: string,
  duration: Duration.Duration,
  nowMs: number
): LeaseClaim => {
  const renewTime = microTime(nowMs)
  const isRenewal = before?.holder === identity
  return {
    holder: identity,
    durationSeconds: Math.ceil(Duration.toSeconds(duration)),
    acquireTime: isRenewal && before.acquireTime !== "" ? before.acquireTime : renewTime,
    renewTime,
    transitions: before === null ? 0 : before.transitions + (isRenewal ? 0 : 1)
  }
}

/** Nobody leads; whoever sees this need not wait. */
export const released = (before: LeaseRecord, nowMs: number): LeaseClaim => ({
  holder: "",
  durationSeconds: 1,
  acquireTime: microTime(nowMs),
  renewTime: microTime(nowMs),
  transitions: before.transitions
})
