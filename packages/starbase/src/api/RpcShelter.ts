/**
 * Wraps the RPC server's way out: a defect of ours leaves as `InternalFault` with a reference that the log explains, and
 * an interrupted handler as `Unavailable`, because its outcome is unknown. Nothing of a cause reaches a caller.
 */
import { InternalFault, Unavailable } from "@starform/domain/errors/RequestErrors"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import type { FromServerEncoded, ResponseExitEncoded } from "effect/rpc/RpcMessage"
import type * as RpcServer from "effect/rpc/RpcServer"
import * as Schema from "effect/Schema"
import * as RpcFrame from "./RpcFrame.ts"

const encodeUnavailable = Schema.encodeEffect(Schema.toCodecJson(Unavailable))
const encodeFault = Schema.encodeEffect(Schema.toCodecJson(InternalFault))

type Failure = Extract<ResponseExitEncoded["exit"], { readonly _tag: "Failure" }>

const shelteredExit = Effect.fnUntraced(function* (requestId: string | number, exit: Failure) {
  const defect = exit.cause.find((reason) => reason._tag === "Die")
  if (defect !== undefined) {
    const reference = SecureRandom.uuidV4Unsafe()
    yield* Effect.logError(`rpc fault ${reference}`, defect.defect)
    return RpcFrame.failed(requestId, yield* Effect.orDie(encodeFault(new InternalFault({ reference }))))
  }
  if (exit.cause.some(({ _tag }) => _tag === "Fail")) {
    return { _tag: "Exit", requestId, exit } satisfies ResponseExitEncoded
  }
  const unavailable = new Unavailable({ what: "this process" })
  return RpcFrame.failed(requestId, yield* Effect.orDie(encodeUnavailable(unavailable)))
})

/** What of a frame may leave. One without an exit has nothing to hide but the text of a defect. */
const shelter = (frame: FromServerEncoded): Effect.Effect<FromServerEncoded> => {
  if (frame._tag === "Exit" && frame.exit._tag === "Failure") {
    return shelteredExit(frame.requestId, frame.exit)
  }
  if (frame._tag !== "Defect") return Effect.succeed(frame)
  return Effect.as(Effect.logError("rpc protocol", frame.defect), { ...frame, defect: "protocol error" })
}

/** The same protocol, with a sheltered way out. */
export const wrap = (protocol: RpcServer.Protocol["Service"]): RpcServer.Protocol["Service"] => ({
  ...protocol,
  send: (clientId, frame, transferables) =>
    Effect.flatMap(shelter(frame), (safe) => protocol.send(clientId, safe, transferables))
})
