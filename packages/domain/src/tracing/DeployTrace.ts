/**
 * Where the spans of one deploy belong. Nothing carries a trace's context between the processes of a deploy: whoever
 * knows the deploy's id knows its trace, before and after any restart (decision 0014).
 */
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { DeployId } from "../ids/Ids.ts"

/** Hops whose spans others name as their parent, and the last byte of their span ids. */
const places = { deploy: "01", "workflow.DeployRelease": "02" } as const

/** A hop with a place of its own; every other one gets a span id by chance. */
export type Place = keyof typeof places

const isPlace = (name: string): name is Place => Object.hasOwn(places, name)

/** The deploy's id without its hyphens: 16 bytes, as a trace id is. */
export const traceIdOf = (deployId: DeployId): string => deployId.replaceAll("-", "")

/** Span ids need to be unique within their trace only. Never zero: an id's variant bits are in it. */
export const spanIdOf = (deployId: DeployId, place: Place): string =>
  traceIdOf(deployId).slice(16, 30) + places[place]

/** What other hops name as their parent, whether its span is written yet or not. */
export const placeOf = (deployId: DeployId, place: Place): Tracer.ExternalSpan =>
  Tracer.externalSpan({
    traceId: traceIdOf(deployId),
    spanId: spanIdOf(deployId, place),
    sampled: true
  })

/** The span id that is fixed for a hop of this name. */
export const fixedSpanId = (deployId: DeployId, name: string): Option.Option<string> =>
  isPlace(name) ? Option.some(spanIdOf(deployId, name)) : Option.none()
