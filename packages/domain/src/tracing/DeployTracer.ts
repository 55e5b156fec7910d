/**
 * The tracer of a process that exports traces. It exports spans of deploys and nothing else, and of them only what is
 * named here: an attribute, a value or a message that this file does not let through never leaves the process.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Hex from "effect/encoding/Hex"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import { classOf, type Reaction } from "../errors/Reaction.ts"

/** Where a span goes that its opener knows better than chance. Its presence alone makes a span one of a deploy. */
export interface FixedPlace {
  readonly traceId: string
  readonly spanId: Option.Option<string>
}

export const CurrentFixedPlace: Context.Reference<FixedPlace | null> = Context.Reference<FixedPlace | null>(
  "@starform/domain/tracing/CurrentFixedPlace",
  { defaultValue: () => null }
)

/** Attributes that are exported. All of them name things or count them; none holds what a tenant wrote. */
export const exportedAttributes: ReadonlySet<string> = new Set([
  "app.id",
  "apply.outcome",
  "apply.steps",
  "deploy.failure_code",
  "deploy.id",
  "deploy.kind",
  "deploy.ordinal",
  "deploy.phase",
  "error.type",
  "http.request.method",
  "http.response.status_code",
  "observed.phase",
  "observed.reason_code",
  "outbox.attempts",
  "revision",
  "rpc.method"
])

/** Identifiers, codes and the like: no spaces, no line breaks, and too short for a document. */
const exportedText = /^[\w./:#-]{1,120}$/

export type AttributeValue = string | number | boolean

const exported = (key: string, value: unknown): value is AttributeValue =>
  exportedAttributes.has(key) &&
  (typeof value === "boolean" ||
    (typeof value === "number" && Number.isFinite(value)) ||
    (typeof value === "string" && exportedText.test(value)))

const tagOf = (error: unknown): string => {
  const tag =
    typeof error === "object" && error !== null && "_tag" in error
      ? String(error._tag)
      : error instanceof Error
        ? error.name
        : "unknown"
  return exportedText.test(tag) ? tag : "unknown"
}

const isRejection = (error: unknown): boolean =>
  typeof error === "object" &&
  error !== null &&
  "reaction" in error &&
  classOf(error.reaction as Reaction) === "rejected"

/** How a span ended: the tag of what went wrong, and whether that is anybody's concern but the caller's. */
export interface SpanEnd {
  readonly problem: string | null
  readonly isError: boolean
}

const endOf = (exit: Exit.Exit<unknown, unknown>): SpanEnd => {
  if (exit._tag === "Success") return { problem: null, isError: false }
  if (Cause.hasInterruptsOnly(exit.cause)) return { problem: "interrupted", isError: false }
  const error = Cause.squash(exit.cause)
  return { problem: tagOf(error), isError: !isRejection(error) }
}

/** A span of a deploy's trace that has ended. */
export interface EndedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly name: string
  readonly kind: Tracer.SpanKind
  readonly startNanos: bigint
  readonly endNanos: bigint
  readonly attributes: ReadonlyMap<string, AttributeValue>
  readonly links: ReadonlyArray<Pick<Tracer.AnySpan, "traceId" | "spanId">>
  readonly end: SpanEnd
}

type SpanOptions = Parameters<Tracer.Tracer["span"]>[0]

class DeploySpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly sampled = true
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parent: Option.Option<Tracer.AnySpan>
  readonly annotations: Context.Context<never>
  readonly links: Array<Tracer.SpanLink>
  readonly kind: Tracer.SpanKind
  readonly attributes = new Map<string, AttributeValue>()
  readonly #push: (span: EndedSpan) => void
  status: Tracer.SpanStatus

  constructor(options: SpanOptions, place: FixedPlace, push: (span: EndedSpan) => void) {
    this.name = options.name
    this.parent = options.parent
    this.annotations = options.annotations
    this.links = [...options.links]
    this.kind = options.kind
    this.traceId = place.traceId
    this.spanId = Option.getOrElse(place.spanId, () => Hex.random(16))
    this.#push = push
    this.status = { _tag: "Started", startTime: options.startTime }
  }

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    if (this.status._tag === "Ended") return
    const { startTime } = this.status
    this.status = { _tag: "Ended", startTime, endTime, exit }
    this.#push({
      traceId: this.traceId,
      spanId: this.spanId,
      parentSpanId: Option.getOrUndefined(this.parent)?.spanId,
      name: this.name,
      kind: this.kind,
      startNanos: startTime,
      endNanos: endTime < startTime ? startTime : endTime,
      attributes: this.attributes,
      links: this.links.map(({ span }) => ({ traceId: span.traceId, spanId: span.spanId })),
      end: endOf(exit)
    })
  }

  attribute(key: string, value: unknown): void {
    if (this.status._tag === "Started" && exported(key, value)) this.attributes.set(key, value)
  }

  /** Log lines and exceptions, which may hold anything: not exported. */
  event(): void {}

  addLinks(links: ReadonlyArray<Tracer.SpanLink>): void {
    if (this.status._tag === "Started") this.links.push(...links)
  }
}

/** @param push is given every span of a deploy when it ends; it must not block */
export const make = (push: (span: EndedSpan) => void): Tracer.Tracer =>
  Tracer.make({
    span: (options) => {
      const fixed = Context.get(options.annotations, CurrentFixedPlace)
      if (fixed !== null) return new DeploySpan(options, fixed, push)
      const parent = Option.getOrUndefined(options.parent)
      return parent?.sampled === true && options.sampled
        ? new DeploySpan(options, { traceId: parent.traceId, spanId: Option.none() }, push)
        : new Tracer.NativeSpan({ ...options, sampled: false })
    }
  })
