/**
 * The services that surround an entity and an ask. The library copies them for each incarnation and merges the two for each
 * ask, so both get what they can use: an entity its journal and the registers of the process; an ask the caller's span and
 * annotations; both what effect looks up by itself (clock, scheduler, log level, …). What an entity does does not depend on
 * what else its caller has at hand, a transaction for example.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { Journal } from "../journal/Journal.ts"
import { EntityActivity } from "./EntityActivity.ts"
import { ResidentClusters } from "./ResidentClusters.ts"

/** How the keys of services begin, as against references, which effect looks up by itself. What is not listed is kept. */
const ofStarbase = [
  "@effect/sql",
  "@starform/",
  "effect/FileSystem",
  "effect/Layer/",
  "effect/Path",
  "effect/Terminal",
  "effect/crypto/",
  "effect/process/",
  "effect/sql/",
  "effect/workflow/",
  "sql",
  "~effect/"
]

const ofRunners = ["@effect/platform/", "effect/cluster/", "effect/rpc/"]

const ofEntities: ReadonlySet<string> = new Set([Journal.key, EntityActivity.key, ResidentClusters.key])

const without = <R>(
  context: Context.Context<R>,
  beginnings: ReadonlyArray<string>,
  kept: ReadonlySet<string> = new Set()
): Context.Context<R> =>
  Context.makeUnsafe(
    new Map(
      [...context.mapUnsafe].filter(
        ([key]) => kept.has(key) || !beginnings.some((beginning) => key.startsWith(beginning))
      )
    )
  )

/** Builds a layer of entities, or the runner that they live on, in what these need. */
export const lean = <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const all = yield* Effect.context<R>()
      return yield* Layer.buildWithScope(layer, scope).pipe(
        Effect.setContext(without(all, ofStarbase, ofEntities))
      )
    })
  )

/** Runs an ask in what is this process's own, and in its caller's span and annotations. */
export type Asking = <A, E>(ask: Effect.Effect<A, E>) => Effect.Effect<A, E>

export const asking: Effect.Effect<Asking> = Effect.contextWith((context: Context.Context<never>) => {
  const own = without(context, [...ofStarbase, ...ofRunners])
  return Effect.succeed<Asking>((ask) =>
    Effect.updateContext(ask, (caller: Context.Context<never>) => {
      const carry =
        <I, S>(key: Context.Key<I, S>) =>
        <R>(carried: Context.Context<R>): Context.Context<R> => {
          const value = Context.getOrUndefined(caller, key)
          return value === undefined ? carried : Context.add(carried, key, value)
        }
      return own.pipe(
        carry(Tracer.ParentSpan),
        carry(References.CurrentLogAnnotations),
        carry(References.CurrentLogSpans)
      )
    })
  )
})
