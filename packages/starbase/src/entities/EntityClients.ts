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
import { flow } from "effect/Function"
import * as Layer from "effect/Layer"
import type { RpcClientError } from "effect/rpc/RpcClientError"
import { isSocketError } from "effect/socket/Socket"
import { isUnknownThere } from "../runners/KnownRequests.ts"
import { AppEntity } from "./app/AppEntity.ts"
import { ClusterEntity } from "./cluster/ClusterEntity.ts"
import { remembered } from "./RememberedById.ts"
import { asking, type Asking } from "./Surroundings.ts"
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

const faultOf = (what: string, fault: ClusterFault): Overloaded | Unavailable =>
  fault._tag === "MailboxFull"
    ? new Overloaded({ what, retryAfterSeconds: overloadedRetryAfterSeconds })
    : new Unavailable({ what })

const unheard = <E>(what: string, cause: Cause.Cause<E>): Effect.Effect<never, Asked<E>> => {
  // effect answers an ask whose connection breaks under its request with a defect; it is as unheard as any other.
  // An interrupt is the entity's end, not the caller's: a caller that is interrupted does not come here.
  const isUnheard =
    Cause.hasInterruptsOnly(cause) ||
    cause.reasons.some((reason) => Cause.isDieReason(reason) && isSocketError(reason.defect))
  if (isUnheard) return Effect.fail(new Unavailable({ what }))
  const broken = cause.reasons.find(Cause.isDieReason)
  if (broken !== undefined && isUnknownThere(broken.defect)) {
    // Code that is older than ours, while Starbase is upgraded: its successor will know.
    return Effect.logWarning(`${what}: ${broken.defect.message}`).pipe(
      Effect.andThen(Effect.fail(new Unavailable({ what })))
    )
  }
  if (broken !== undefined) {
    return Effect.logError(`${what}: not understood, or broken`, broken.defect).pipe(
      Effect.andThen(Effect.fail(new InternalFault({ reference: what })))
    )
  }
  return Effect.failCause(
    Cause.map(cause, (error): Asked<E> =>
      isFault(error) ? faultOf(what, error) : (error as Exclude<E, ClusterFault>)
    )
  )
}

/**
 * Every ask of Starbase passes here, so it does as little as it can where the answer comes: what fails is looked at
 * once. An ask that is answered while it starts takes no timer.
 *
 * @param wait how long the entity itself may hold the answer back
 * @errors Overloaded, Unavailable instead of anything that the cluster answers; InternalFault for what the owner could
 * not make sense of, such as a request that only newer code has
 */
const settle = <A, E, R>(
  kind: string,
  id: string,
  ask: Effect.Effect<A, E, R>,
  wait: Duration.Input | undefined
): Effect.Effect<A, Asked<E>, R> =>
  Effect.catchCause(ask, (cause) => unheard(`${kind} ${id}`, cause)).pipe(
    Effect.timeoutOrElse({
      duration: wait === undefined ? askTimeout : Duration.sum(askTimeout, Duration.fromInputUnsafe(wait)),
      orElse: () => Effect.fail(new Unavailable({ what: `${kind} ${id}` }))
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

type Ask = (...message: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>

/** The same client, whose asks go in surroundings of their own. */
const inSurroundings =
  (asking: Asking) =>
  <Client extends object>(client: Client): Client =>
    new Proxy(client, {
      get: (_, tag) => {
        const ask = Reflect.get(client, tag) as Ask
        return (...message: ReadonlyArray<unknown>) => asking(ask(...message))
      }
    })

export const layerNoDeps: Layer.Layer<EntityClients, never, Sharding> = Layer.effect(
  EntityClients,
  Effect.gen(function* () {
    // A client is its entity's address, whoever owns it: to work out its shard again for each ask is a tenth of the ask.
    const own = inSurroundings(yield* asking)
    const app = remembered(flow(yield* AppEntity.client, own))
    const cluster = remembered(flow(yield* ClusterEntity.client, own))
    const tenant = remembered(flow(yield* TenantEntity.client, own))
    return EntityClients.of({
      app: (id, ask, wait) => settle("app", id, ask(app(id)), wait),
      cluster: (id, ask, wait) => settle("cluster", id, ask(cluster(id)), wait),
      tenant: (id, ask, wait) => settle("workspace", id, ask(tenant(id)), wait)
    })
  })
)
