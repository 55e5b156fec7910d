/** The journal, the outbox and the read models of all runners, behind the road of each; it keeps what the invariants judge. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Journal from "@starform/starbase/journal/Journal"
import * as JournalMemory from "@starform/starbase/journal/JournalMemory"
import * as Outbox from "@starform/starbase/journal/Outbox"
import * as ReadModels from "@starform/starbase/journal/ReadModels"
import type { KeptRequest, Step } from "../invariants/Evidence.ts"
import { ask, type Store } from "./Store.ts"
import type { Process } from "./World.ts"

export type Stores = Context.Context<Journal.Journal | Outbox.Outbox | ReadModels.ReadModels>

/** One process that listens for outbox rows. */
interface Listener {
  readonly from: Process
  isTold: boolean
  answer: ((result: Effect.Effect<void, Journal.JournalUnavailable>) => void) | undefined
}

const broken = (operation: string) =>
  new Journal.JournalUnavailable({ operation, cause: "the connection is gone" })

const tagOf = (event: unknown) => (event as { readonly _tag?: string })._tag ?? "?"

/** The database: what is in it, and what was done to it, in order. */
export class Database {
  readonly steps: Array<Step> = []
  private readonly requests: Array<KeptRequest> = []
  readonly keys = new Map<string, Journal.EntityKey>()
  private readonly listeners = new Set<Listener>()
  readonly journal: Journal.Journal["Service"]
  readonly outbox: Outbox.Outbox["Service"]
  readonly models: ReadModels.ReadModels["Service"]
  readonly store: Store
  readonly nameOf: (key: Journal.EntityKey) => string

  constructor(store: Store, stores: Stores, nameOf: (key: Journal.EntityKey) => string) {
    this.store = store
    this.nameOf = nameOf
    this.journal = Context.get(stores, Journal.Journal)
    this.outbox = Context.get(stores, Outbox.Outbox)
    this.models = Context.get(stores, ReadModels.ReadModels)
  }

  private append(writer: string, entity: Journal.EntityKey, append: Journal.Append) {
    const { world } = this.store.process
    const name = this.nameOf(entity)
    return this.journal.append(entity, append).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          const sequence = append.after + append.events.length
          this.keys.set(`${entity.type} ${entity.id}`, entity)
          this.steps.push({ kind: "appended", writer, entity, sequence })
          if (append.reply !== null) this.requests.push({ entity, requestId: append.requestId, sequence })
          world.note(writer, `append ${name} #${sequence} ${append.events.map(tagOf).join(" ")}`)
          if (append.effects.length > 0) this.tell()
        })
      ),
      Effect.tapError((error) =>
        Effect.sync(() => {
          if (error._tag === "Fenced") this.steps.push({ kind: "fenced", writer, entity })
          world.note(writer, `append ${name} ${error._tag}`)
        })
      )
    )
  }

  /** What the store really holds of the requests whose commands took effect. */
  keptRequests(): ReadonlyArray<KeptRequest> {
    return this.requests.filter(({ entity, requestId }) =>
      Option.isSome(Effect.runSync(this.journal.recall(entity, requestId)))
    )
  }

  /** A notification may be lost, as a connection that listens may be. */
  private tell(): void {
    for (const listener of this.listeners) {
      const { back, fate } = this.store.road(listener.from, "outbox.notify")
      if (fate !== "answered") continue
      this.store.process.after(back, () => {
        if (listener.answer === undefined) listener.isTold = true
        else listener.answer(Effect.void)
        listener.answer = undefined
      })
    }
  }

  /** @see Outbox.awaitWork */
  private listen(from: Process) {
    const told = (listener: Listener) =>
      from.wait<void, Journal.JournalUnavailable>((answer) => {
        if (listener.isTold) answer(Effect.void)
        else listener.answer = answer
        listener.isTold = false
        return () => {
          if (listener.answer === answer) listener.answer = undefined
        }
      })
    return Effect.acquireRelease(
      Effect.sync(() => {
        const listener: Listener = { from, isTold: false, answer: undefined }
        this.listeners.add(listener)
        return listener
      }),
      (listener) => Effect.sync(() => this.listeners.delete(listener))
    ).pipe(Effect.map(told))
  }

  layer(from: Process): Layer.Layer<Journal.Journal | Outbox.Outbox | ReadModels.ReadModels> {
    const { journal, outbox, models, store } = this
    const run = <A, E>(operation: string, perform: Effect.Effect<A, E | Journal.JournalUnavailable>) =>
      ask<A, E | Journal.JournalUnavailable>(store, from, operation, perform, broken)
    const loaded = (entity: Journal.EntityKey) =>
      journal.load(entity).pipe(
        Effect.tap(({ snapshot, events }) =>
          Effect.sync(() => {
            const base = snapshot._tag === "Some" ? snapshot.value.sequence : 0
            const sequence = events.at(-1)?.sequence ?? base
            this.steps.push({ kind: "loaded", writer: from.name, entity, sequence })
          })
        )
      )
    return Layer.mergeAll(
      Layer.succeed(Journal.Journal, {
        load: (key) => run("journal.load", loaded(key)),
        append: (key, append) =>
          Effect.uninterruptible(run("journal.append", this.append(from.name, key, append))),
        recall: (key, requestId) => run("journal.recall", journal.recall(key, requestId)),
        saveSnapshot: (key, snapshot) => run("journal.saveSnapshot", journal.saveSnapshot(key, snapshot)),
        read: (key, after, limit) => run("journal.read", journal.read(key, after, limit))
      }),
      Layer.succeed(Outbox.Outbox, {
        due: (nowMs, limit) => run("outbox.due", outbox.due(nowMs, limit)),
        done: (rows) => run("outbox.done", outbox.done(rows)),
        postpone: (row, untilMs, problem) => run("outbox.postpone", outbox.postpone(row, untilMs, problem)),
        backlog: (limit, only) => run("outbox.backlog", outbox.backlog(limit, only)),
        hasten: (key) => run("outbox.hasten", outbox.hasten(key)),
        awaitWork: this.listen(from)
      }),
      Layer.succeed(ReadModels.ReadModels, {
        get: (model, key) => run("models.get", models.get(model, key)),
        list: (model, parent) => run("models.list", models.list(model, parent)),
        holder: (kind, name) => run("models.holder", models.holder(kind, name))
      })
    )
  }
}

/** A database of its own, with its fibers in the store's process. */
export const makeStores = ({ process }: Store): Stores => {
  const { world } = process
  let built: Stores | undefined
  process.fork(
    Effect.map(Layer.buildWithScope(Layer.fresh(JournalMemory.layer), Scope.makeUnsafe()), (stores) => {
      built = stores
    })
  )
  world.runUntil(world.nowMs, () => built !== undefined)
  if (built === undefined) throw new Error("the store did not start")
  return built
}
