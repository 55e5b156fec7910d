/** What every message to an entity carries besides its own fields, and what every entity can answer. */
import {
  Forbidden,
  InternalFault,
  InvalidInput,
  NameTaken,
  NotFound,
  Overloaded,
  RequestIdReused,
  Unavailable
} from "@starform/domain/errors/RequestErrors"
import { Incarnation } from "@starform/domain/protocol/OperatorRpcs"
import { RequestId } from "@starform/domain/ids/Ids"
import { Principal } from "@starform/domain/model/Principal"
import * as ClusterSchema from "effect/cluster/ClusterSchema"
import * as Context from "effect/Context"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"

/** A mutation: at most once per `requestId`, on behalf of `principal` (who is recorded, and was authorised before). */
export const mutation = { requestId: RequestId, principal: Principal }

export const CommonError = Schema.Union([
  NotFound,
  Forbidden,
  InvalidInput,
  NameTaken,
  RequestIdReused,
  Overloaded,
  Unavailable,
  InternalFault
])

export const ReadError = Schema.Union([NotFound, Overloaded, Unavailable, InternalFault])

/** A caller that goes away does not stop a mutation: memory must not fall behind the journal (INV-JRN-6). */
export const mutationAnnotations = Context.make(ClusterSchema.Uninterruptible, true)

/** A waiting read ends with its caller and with the shard. */
export const waitingAnnotations = Context.make(ClusterSchema.InterruptOnTermination, true)

/** For operators, of every entity: what this incarnation does now. Never waits for a turn; reads no journal. */
export const InspectActivity = Rpc.make("InspectActivity", {
  success: Schema.Struct({ owner: Schema.String, incarnation: Incarnation }),
  error: ReadError
})

/** For operators, of every entity: drops what is in memory and reads the journal. Answers the sequence. */
export const Passivate = Rpc.make("Passivate", { success: Schema.Int, error: ReadError })
