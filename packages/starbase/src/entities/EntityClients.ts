/**
 * The one way from the rest of Starbase to an entity. Turns what the cluster itself can answer (mailbox full, owner
 * moving, runner gone) into the two wire errors that a caller can react to.
 */
import { InternalFault, Overloaded, Unavailable } from "@starform/domain/errors/RequestErrors"
import type { AppId } from "@starform/domain/ids/AppId"
import type { ClusterId, WorkspaceId } from "@starform/domain/ids/Ids"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type {
  AlreadyProcessingMessage,
  EntityNotAssignedToRunner,
  MailboxFull,
  PersistenceError
} from "effect/cluster/ClusterError"
import type { Sharding } from "effect/cluster/Sharding"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { RpcClientError } from "effect/rpc/RpcClientError"
import { isSocketError } from "effect/socket/Socket"
import { AppEntity } from "./app/AppEntity.ts"
import { ClusterEntity } from "./cluster/ClusterEntity.ts"
import { TenantEntity } from "./tenant/TenantEntity.ts"

/** How long an ordinary ask may take before the caller hears `Unavailable`; a parked read adds its own wait. */
export const askTimeout = Duration.seconds(20)

/** Told to a caller whose entity has a full mailbox. */
export const overloadedRetryAfterSeconds = 1

type AppClient = Effect.Success<typeof AppEntity.client>
type ClusterClient = Effect.Success<typeof ClusterEntity.client>
type TenantClient = Effect.Success<typeof TenantEntity.client>

type ClusterFault =
  | MailboxFull
  | AlreadyProcessingMessage
  | PersistenceError
  | EntityNotAssignedToRunner
  | RpcClientError

const faultTags: ReadonlySet<string> = new Set([
  "MailboxFull",
  "AlreadyProcessingMessage",
  "PersistenceError",
  "EntityNotAssignedToRunner",
  "RpcClientError"
])

const isFault = (error: unknown): error is ClusterFault =>
  typeof error === "object" && error !== null && "_tag" in error && faultTags.has(String(error._tag))

/** What remains for the caller of an ask. */
export type Asked<E> = Exclude<E, ClusterFault> | Overloaded | Unavailable | InternalFault

/**
 * @param wait how long the entity itself may hold the answer back
 * @errors Overloaded, Unavailable instead of anything that the cluster answers; InternalFault for what the owner could
 * not make sense of, such as a request that only newer code has
 */
const settle = <A, E, R>(
  what: string,
  ask: Effect.Effect<A, E, R>,
  wait: Duration.Input
): Effect.Effect<A, Asked<E>, R> =>
  ask.pipe(
    Effect.mapError((error): Asked<E> => {
      if (!isFault(error)) return error as Exclude<E, ClusterFault>
      return error._tag === "MailboxFull"
        ? new Overloaded({ what, retryAfterSeconds: overloadedRetryAfterSeconds })
        : new Unavailable({ what })
    }),
    // effect answers an ask whose connection breaks under its request with a defect; it is as unheard as any other.
    Effect.catchCauseIf(
      (cause) => cause.reasons.some((reason) => Cause.isDieReason(reason) && isSocketError(reason.defect)),
      () => Effect.fail(new Unavailable({ what }))
    ),
    // The entity's end, not the caller's: a caller that is interrupted does not come here.
    Effect.catchCauseIf(Cause.hasInterruptsOnly, () => Effect.fail(new Unavailable({ what }))),
    Effect.catchDefect((defect) =>
      Effect.logError(`${what}: not understood, or broken`, defect).pipe(
        Effect.andThen(Effect.fail(new InternalFault({ reference: what })))
      )
    ),
    Effect.timeoutOrElse({
      duration: Duration.sum(askTimeout, Duration.fromInputUnsafe(wait)),
      orElse: () => Effect.fail(new Unavailable({ what }))
    })
  )

export class EntityClients extends Context.Service<
  EntityClients,
  {
    /** @param ask what to ask; its cluster faults become `Overloaded` or `Unavailable` */
    readonly app: <A, E, R>(
      id: AppId,
      ask: (app: ReturnType<AppClient>) => Effect.Effect<A, E, R>,
      wait?: Duration.Input
    ) => Effect.Effect<A, Asked<E>, R>
    readonly cluster: <A, E, R>(
      id: ClusterId,
      ask: (cluster: ReturnType<ClusterClient>) => Effect.Effect<A, E, R>,
      wait?: Duration.Input
    ) => Effect.Effect<A, Asked<E>, R>
    readonly tenant: <A, E, R>(
      id: WorkspaceId,
      ask: (tenant: ReturnType<TenantClient>) => Effect.Effect<A, E, R>,
      wait?: Duration.Input
    ) => Effect.Effect<A, Asked<E>, R>
  }
>()("@starform/starbase/entities/EntityClients") {}

export const layerNoDeps: Layer.Layer<EntityClients, never, Sharding> = Layer.effect(
  EntityClients,
  Effect.gen(function* () {
    const app = yield* AppEntity.client
    const cluster = yield* ClusterEntity.client
    const tenant = yield* TenantEntity.client
    return EntityClients.of({
      app: (id, ask, wait = 0) => settle(`app ${id}`, ask(app(id)), wait),
      cluster: (id, ask, wait = 0) => settle(`cluster ${id}`, ask(cluster(id)), wait),
      tenant: (id, ask, wait = 0) => settle(`workspace ${id}`, ask(tenant(id)), wait)
    })
  })
)
