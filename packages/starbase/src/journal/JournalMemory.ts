/** Journal, outbox and read models in one process's memory: same promises as on PostgreSQL, nothing survives the process. */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Gathering from "./Gathering.ts"
import * as Journal from "./Journal.ts"
import { defaults, type JournalSettings } from "./JournalSettings.ts"
import * as Outbox from "./Outbox.ts"
import * as ReadModels from "./ReadModels.ts"

interface PendingRow extends Outbox.OutboxRow {
  readonly dueMs: number
  readonly atMs: number
  readonly problem: string | null
}

const separator = "\u0000"

const keyOf = (...parts: ReadonlyArray<string>): string => parts.join(separator)

const copy = (value: unknown): unknown =>
  value === undefined ? undefined : JSON.parse(JSON.stringify(value))

/** What PostgreSQL cannot hold as text: U+0000, and half of a surrogate pair. */
const unwritable = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/

interface Written {
  readonly key: Journal.EntityKey
  readonly append: Journal.Append
  /** All of it as JSON: what counts against the bounds, and what must be possible. */
  readonly json: string
}

const encodeJson = Schema.encodeEffect(Schema.fromJsonString(Schema.Unknown))

const asWritten = (key: Journal.EntityKey, append: Journal.Append) =>
  encodeJson([key, append]).pipe(
    Effect.filterOrFail((json) => !unwritable.test(json)),
    Effect.map((json): Written => ({ key, append, json })),
    Effect.mapError((cause) => new Journal.JournalRefused({ ...key, cause }))
  )

/** One journal for all entities; each call of `make` is a database of its own. */
const make = Effect.fnUntraced(function* (settings: JournalSettings) {
  const events = new Map<string, Array<Journal.StoredEvent>>()
  const replies = new Map<string, Journal.StoredReply & { readonly sequence: number }>()
  const snapshots = new Map<string, Journal.StoredSnapshot>()
  const names = new Map<string, Journal.EntityKey>()
  const models = new Map<string, { readonly parent: string; readonly key: string; readonly row: unknown }>()
  let pending: ReadonlyArray<PendingRow> = []
  let work = Deferred.makeUnsafe<void>()

  const tellRelay = () => {
    Deferred.doneUnsafe(work, Effect.void)
    work = Deferred.makeUnsafe<void>()
  }

  const streamOf = (key: Journal.EntityKey) => events.get(keyOf(key.type, key.id)) ?? []

  const lineKey = ({ key, line }: Outbox.OutboxLine) => keyOf(key.type, key.id, line)

  const isRow = (row: Outbox.OutboxRow) => (other: Outbox.OutboxRow) =>
    other.key.type === row.key.type &&
    other.key.id === row.key.id &&
    other.sequence === row.sequence &&
    other.position === row.position

  const write = ({ key, append }: Written): Exit.Exit<void, Journal.AppendError> => {
    const stream = streamOf(key)
    const replyKey = keyOf(key.type, key.id, append.requestId)
    const known = append.reply === null ? undefined : replies.get(replyKey)
    if (known !== undefined) return Exit.fail(new Journal.AlreadyAnswered(known))
    if (stream.length !== append.after) return Exit.fail(new Journal.Fenced(key))
    for (const wanted of append.reserve) {
      const owner = names.get(keyOf(wanted.kind, wanted.name))
      if (owner !== undefined && (owner.type !== key.type || owner.id !== key.id)) {
        return Exit.fail(new Journal.NameHeld(wanted))
      }
    }
    const { actor, requestId, atMs } = append
    const added = append.events.map((event, index) => ({
      sequence: append.after + index + 1,
      event: copy(event),
      actor,
      requestId,
      atMs
    }))
    events.set(keyOf(key.type, key.id), [...stream, ...added])
    if (append.reply !== null) {
      const { payloadHash, reply } = append.reply
      replies.set(replyKey, { payloadHash, reply: copy(reply), sequence: append.after + added.length })
    }
    for (const released of append.release) names.delete(keyOf(released.kind, released.name))
    for (const wanted of append.reserve) names.set(keyOf(wanted.kind, wanted.name), key)
    for (const { model, key: rowKey, parent, row } of append.rows) {
      if (row === null) models.delete(keyOf(model, rowKey))
      else models.set(keyOf(model, rowKey), { parent, key: rowKey, row: copy(row) })
    }
    const sequence = append.after + append.events.length
    const caused = append.effects.map((effect, index) => ({
      key,
      sequence,
      position: index + 1,
      line: Outbox.lineOf(effect),
      effect: copy(effect),
      attempts: 0,
      dueMs: 0,
      atMs,
      problem: null
    }))
    if (caused.length > 0) {
      pending = [...pending, ...caused]
      tellRelay()
    }
    return Exit.void
  }

  const handOver = yield* Gathering.make({
    bounds: settings.appends,
    bytesOf: ({ json }: Written) => json.length,
    claimsOf: () => [],
    perform: (group) => Effect.sync(() => group.map(write)),
    overdue: (): Journal.AppendError =>
      new Journal.JournalUnavailable({ operation: "append", cause: "no answer in time" }),
    overfull: (): Journal.AppendError =>
      new Journal.JournalOverloaded({ operation: "append", retryAfterSeconds: settings.retryAfterSeconds })
  })

  const journal: Journal.Journal["Service"] = {
    load: (key) =>
      Effect.sync(() => {
        const snapshot = Option.fromNullishOr(snapshots.get(keyOf(key.type, key.id)))
        const after = Option.match(snapshot, { onNone: () => 0, onSome: (stored) => stored.sequence })
        return { snapshot, events: streamOf(key).slice(after) }
      }),
    append: (key, append) => asWritten(key, append).pipe(Effect.flatMap(handOver), Effect.uninterruptible),
    recall: (key, requestId) =>
      Effect.sync(() =>
        Option.map(
          Option.fromNullishOr(replies.get(keyOf(key.type, key.id, requestId))),
          ({ payloadHash, reply }) => ({ payloadHash, reply })
        )
      ),
    saveSnapshot: (key, snapshot) =>
      Effect.sync(() => {
        const stored = snapshots.get(keyOf(key.type, key.id))
        if (stored === undefined || stored.sequence < snapshot.sequence) {
          snapshots.set(keyOf(key.type, key.id), { ...snapshot, state: copy(snapshot.state) })
        }
      }),
    read: (key, after, limit) => Effect.sync(() => streamOf(key).slice(after, after + limit))
  }

  const outbox: Outbox.Outbox["Service"] = {
    due: (nowMs, limit) =>
      Effect.sync(() => {
        const oldest = new Map<string, PendingRow>()
        for (const row of pending) if (!oldest.has(lineKey(row))) oldest.set(lineKey(row), row)
        const isEarlier = (a: PendingRow, b: PendingRow) => a.attempts - b.attempts || a.dueMs - b.dueMs
        const due = [...oldest.values()].filter((row) => row.dueMs <= nowMs)
        return [...Map.groupBy(due, Outbox.shareOf).values()]
          .flatMap((share) => share.sort(isEarlier).map((row, place) => ({ row, place })))
          .sort((a, b) => a.place - b.place || isEarlier(a.row, b.row))
          .slice(0, limit)
          .map(({ row }) => row)
      }),
    done: (rows) =>
      Effect.sync(() => {
        pending = pending.filter((row) => !rows.some(isRow(row)))
      }),
    postpone: (row, untilMs, problem) =>
      Effect.sync(() => {
        const matches = isRow(row)
        pending = pending.map((other) =>
          matches(other) ? { ...other, dueMs: untilMs, attempts: other.attempts + 1, problem } : other
        )
      }),
    backlog: (limit, only) =>
      Effect.sync(() => {
        const lines = Map.groupBy(pending, lineKey)
        const wanted = only === undefined ? [...lines.keys()] : [lineKey(only)]
        return wanted
          .flatMap((wantedLine): ReadonlyArray<Outbox.OutboxBacklog> => {
            const rows = lines.get(wantedLine) ?? []
            const [next] = rows
            if (next === undefined) return []
            const { key, line, effect, atMs, attempts, dueMs, problem } = next
            const tag = (effect as { readonly _tag: string })._tag
            return [{ key, line, rows: rows.length, effect: tag, atMs, attempts, dueMs, problem }]
          })
          .sort((a, b) => b.attempts - a.attempts || (a.atMs ?? 0) - (b.atMs ?? 0))
          .slice(0, limit)
      }),
    hasten: (key) =>
      Effect.sync(() => {
        const entity = keyOf(key.type, key.id)
        pending = pending.map((row) =>
          keyOf(row.key.type, row.key.id) === entity ? { ...row, dueMs: 0 } : row
        )
        tellRelay()
      }),
    awaitWork: Effect.sync(() => Effect.suspend(() => Deferred.await(work)))
  }

  const readModels: ReadModels.ReadModels["Service"] = {
    get: (model, key) => Effect.sync(() => Option.fromNullishOr(models.get(keyOf(model, key))?.row)),
    list: (model, parent) =>
      Effect.sync(() =>
        [...models]
          .filter(([id, stored]) => id.startsWith(model + separator) && stored.parent === parent)
          .map(([, stored]) => stored)
          .sort((a, b) => (a.key < b.key ? -1 : 1))
          .map((stored) => stored.row)
      ),
    holder: (kind, name) => Effect.sync(() => Option.fromNullishOr(names.get(keyOf(kind, name))?.id))
  }

  return Context.make(Journal.Journal, journal).pipe(
    Context.add(Outbox.Outbox, outbox),
    Context.add(ReadModels.ReadModels, readModels)
  )
})

export const layerWith = (
  settings: JournalSettings
): Layer.Layer<Journal.Journal | Outbox.Outbox | ReadModels.ReadModels> => Layer.effectContext(make(settings))

export const layer = layerWith(defaults)
