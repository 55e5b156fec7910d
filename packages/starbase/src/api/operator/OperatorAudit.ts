/** What operators looked at and did: a line before anything is done, and its outcome after (INV-OPR-4). */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Unavailable } from "@starform/domain/errors/RequestErrors"
import { describe, type Principal } from "@starform/domain/model/Principal"
import type { AuditEntry } from "@starform/domain/protocol/OperatorRpcs"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import type { SqlError } from "effect/sql/SqlError"

/** A target is what somebody typed: kept to this many characters. */
const targetMax = 300

export class OperatorAudit extends Context.Service<
  OperatorAudit,
  {
    /**
     * Does nothing when the line cannot be written. An outcome that cannot be written leaves `begun`.
     *
     * @param target what was looked at or acted on, as the operator named it
     */
    readonly record: <A, E, R>(
      principal: Principal,
      action: string,
      target: string,
      act: Effect.Effect<A, E, R>
    ) => Effect.Effect<A, E | Unavailable, R>
    /** Newest first, with an id below `before`. */
    readonly page: (
      before: number | null,
      limit: number
    ) => Effect.Effect<ReadonlyArray<AuditEntry>, Unavailable>
  }
>()("@starform/starbase/api/operator/OperatorAudit") {}

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "done"
  const failure = exit.cause.reasons.find(Cause.isFailReason)?.error
  if (Predicate.hasProperty(failure, "_tag") && Predicate.isString(failure._tag)) return failure._tag
  return Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : "defect"
}

/** Needs the tables of `JournalSchema`. */
export const layerPostgres: Layer.Layer<OperatorAudit, never, PgClient.PgClient> = Layer.effect(
  OperatorAudit,
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    const available = <A>(effect: Effect.Effect<A, SqlError>) =>
      Effect.mapError(effect, () => new Unavailable({ what: "the audit" }))

    const begin = Effect.fnUntraced(function* (principal: Principal, action: string, target: string) {
      const atMs = yield* Clock.currentTimeMillis
      const rows = yield* available(sql<{ id: number }>`
        INSERT INTO operator_audit (at_ms, actor, action, target, outcome)
        VALUES (${atMs}, ${describe(principal)}, ${action}, ${target.slice(0, targetMax)}, 'begun')
        RETURNING id::float8 AS id`)
      return rows[0]?.id ?? 0
    })

    const end = (id: number, exit: Exit.Exit<unknown, unknown>) =>
      Effect.ignore(sql`UPDATE operator_audit SET outcome = ${outcomeOf(exit)} WHERE id = ${id}`)

    return OperatorAudit.of({
      record: (principal, action, target, act) =>
        Effect.flatMap(begin(principal, action, target), (id) => Effect.onExit(act, (exit) => end(id, exit))),
      page: (before, limit) =>
        available(sql<AuditEntry>`
          SELECT id::float8 AS id, at_ms::float8 AS "atMs", actor, action, target, outcome FROM operator_audit
          WHERE id < ${before ?? Number.MAX_SAFE_INTEGER} ORDER BY id DESC LIMIT ${limit}`)
    })
  })
)
