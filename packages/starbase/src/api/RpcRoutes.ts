/**
 * The door for people and programs: the public RPCs on `/rpc`. One frame per request, so that one request has one
 * principal, one deadline and one answer.
 */
import { statusOf, type Reaction } from "@starform/domain/errors/Reaction"
import { InvalidInput } from "@starform/domain/errors/RequestErrors"
import { PublicRpcs } from "@starform/domain/protocol/PublicRpcs"
import { requestBytesMax, rpcPath, serialization } from "@starform/domain/protocol/RpcTransport"
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import * as Schema from "effect/Schema"
import * as RpcFrame from "./RpcFrame.ts"
import * as RpcShelter from "./RpcShelter.ts"

const encodeInvalidInput = Schema.encodeEffect(Schema.toCodecJson(InvalidInput))

/** The answer to what never becomes an RPC: `{ error, message }`. */
const refuse = (reaction: Reaction, error: InvalidInput) =>
  HttpServerResponse.jsonUnsafe({ error: error._tag, message: error.person }, { status: statusOf(reaction) })

const tooLarge = new InvalidInput({ field: "body", problem: `must be at most ${requestBytesMax} bytes` })

/** The body within its limit, or nothing. It stays readable for whoever asks the request for it again. */
const readBody = (request: HttpServerRequest.HttpServerRequest) =>
  Number(request.headers["content-length"] ?? 0) > requestBytesMax
    ? Effect.succeedNone
    : request.text.pipe(
        Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.fromInputUnsafe(requestBytesMax)),
        Effect.option
      )

const rpc = Effect.gen(function* () {
  const router = yield* HttpRouter.HttpRouter
  const { httpEffect, protocol } = yield* RpcServer.makeProtocolWithHttpEffect().pipe(
    Effect.provideService(RpcSerialization.RpcSerialization, serialization)
  )
  // A caller's frame could name any trace as its parent.
  yield* RpcServer.make(PublicRpcs, { disableFatalDefects: true, disableTracing: true }).pipe(
    Effect.provideService(RpcServer.Protocol, RpcShelter.wrap(protocol)),
    Effect.forkScoped
  )

  const invalidPayload = Effect.fnUntraced(function* (frame: RpcFrame.RequestFrame, error: InvalidInput) {
    const encoded = yield* Effect.orDie(encodeInvalidInput(error))
    const line = serialization.makeUnsafe().encode(RpcFrame.failed(frame.id, encoded))
    return HttpServerResponse.text(String(line), { contentType: serialization.contentType })
  })

  yield* router.add("POST", rpcPath, (request) =>
    Effect.gen(function* () {
      const body = yield* readBody(request)
      if (Option.isNone(body)) return refuse("shrink", tooLarge)
      const frame = yield* RpcFrame.parse(body.value)
      return yield* RpcFrame.checkPayload(frame, body.value).pipe(
        Effect.matchEffect({
          onFailure: (error) => invalidPayload(frame, error),
          onSuccess: () => httpEffect
        })
      )
    }).pipe(Effect.catchTag("InvalidInput", (error) => Effect.succeed(refuse("correct", error))))
  )
})

/** For whoever opens the API's address in a browser. */
const welcome = HttpRouter.add(
  "GET",
  "/",
  HttpServerResponse.text(
    "Starform\n\nPrograms: POST /rpc (typed client: @starform/domain/protocol/StarformClient)\n" +
      "git:      /git/<workspace>/<project>/<service>.git\nHealth:   /healthz, /readyz\n",
    { contentType: "text/plain; charset=utf-8" }
  )
)

/**
 * Adds `POST /rpc` to the router. A body over `requestBytesMax` is 413, a frame that is no request 422; everything else is
 * answered as a frame. Needs the handlers of every public RPC, and their authentication.
 */
export const layerNoDeps = Layer.mergeAll(Layer.effectDiscard(rpc), welcome)
