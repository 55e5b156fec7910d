/** How the parts of a deploy write themselves into its trace. Without a tracer these cost a comparison. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { DeployId } from "../ids/Ids.ts"
import { fixedSpanId, type Place, placeOf, traceIdOf } from "./DeployTrace.ts"
import { type AttributeValue, CurrentFixedPlace } from "./DeployTracer.ts"

/** Whether this process exports traces. */
export const isTracing: Effect.Effect<boolean> = Effect.map(
  Effect.tracer,
  (tracer) => tracer !== Tracer.nativeTracer
)

export interface HopOptions {
  /** The deploy itself unless another one is named. */
  readonly parent?: Place
  readonly attributes?: Readonly<Record<string, AttributeValue>>
  /** Requests of other traces that caused this one. */
  readonly links?: ReadonlyArray<Tracer.AnySpan>
}

const nanosOf = (ms: number): bigint => BigInt(Math.trunc(ms)) * 1_000_000n

const open = (
  tracer: Tracer.Tracer,
  deployId: DeployId,
  name: string,
  startTime: bigint,
  { parent = "deploy", attributes = {}, links = [] }: HopOptions
): Tracer.Span => {
  const place = { traceId: traceIdOf(deployId), spanId: fixedSpanId(deployId, name) }
  const span = tracer.span({
    name,
    parent: name === "deploy" ? Option.none() : Option.some(placeOf(deployId, parent)),
    annotations: Context.make(CurrentFixedPlace, place),
    links: links.map((linked) => ({ span: linked, attributes: {} })),
    startTime,
    kind: "internal",
    root: name === "deploy",
    sampled: true
  })
  span.attribute("deploy.id", deployId)
  for (const [key, value] of Object.entries(attributes)) span.attribute(key, value)
  return span
}

/** Names deploy and trace in every log line of an effect. */
const named =
  (deployId: DeployId) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.annotateLogs(effect, { deploy: deployId, trace: traceIdOf(deployId) })

/**
 * Runs an effect as one hop of a deploy: its log lines name deploy and trace, and with a tracer it is a span.
 *
 * @param startMs when the hop began, if before now; milliseconds since 1970
 */
export const within = (
  deployId: DeployId,
  name: string,
  options: HopOptions & { readonly startMs?: number } = {}
) => {
  const told = named(deployId)
  return <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    told(
      Effect.flatMap(Effect.tracer, (tracer) => {
        if (tracer === Tracer.nativeTracer) return effect
        return Effect.flatMap(Clock.currentTimeNanos, (now) => {
          const start = options.startMs === undefined ? now : nanosOf(options.startMs)
          const span = open(tracer, deployId, name, start, options)
          return Effect.onExit(withParent(effect, span), (exit) =>
            Effect.map(Clock.currentTimeNanos, (end) => span.end(end, exit))
          )
        })
      })
    )
}

const withParent = <A, E, R>(effect: Effect.Effect<A, E, R>, span: Tracer.AnySpan) =>
  Effect.provideService(effect, Tracer.ParentSpan, span)

/** Makes a hop that another run wrote, or will write, the parent of whatever spans an effect opens. */
export const under = (deployId: DeployId, place: Place) => {
  const told = named(deployId)
  return <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    told(
      Effect.flatMap(isTracing, (tracing) =>
        tracing ? withParent(effect, placeOf(deployId, place)) : effect
      )
    )
}

/** Writes a hop that is over, from times that were kept; milliseconds since 1970. */
export const wrote = (
  deployId: DeployId,
  name: string,
  { startMs, endMs, ...options }: HopOptions & { readonly startMs: number; readonly endMs: number }
): Effect.Effect<void> =>
  Effect.map(Effect.tracer, (tracer) => {
    if (tracer === Tracer.nativeTracer) return
    open(tracer, deployId, name, nanosOf(startMs), options).end(nanosOf(endMs), Exit.void)
  })
