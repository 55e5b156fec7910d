/**
 * The typed client of Starform: one method per public RPC, with its payload, answer and errors. For any program that
 * speaks HTTP; the `starform` command is its first user.
 *
 * ```ts
 * const app = { workspace: Slug.make("acme"), project: Slug.make("shop"), environment: EnvironmentName.make("production"), service: Slug.make("api") }
 * const program = Effect.gen(function* () {
 *   const starform = yield* StarformClient.make({ url: "https://starform.example", token: Redacted.make("sfw_…") })
 *   const deploy = yield* starform.RollBack({ app, release: null, requestId: RequestId.make("rollback-1") })
 *   yield* starform.AwaitDeploy({ app, deployId: deploy.id, phasesSeen: deploy.phases.length })
 * }).pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer))
 * ```
 */
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as RpcClient from "effect/rpc/RpcClient"
import type { RpcClientError } from "effect/rpc/RpcClientError"
import * as RpcMiddleware from "effect/rpc/RpcMiddleware"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import type * as Scope from "effect/Scope"
import { Authentication } from "./Authentication.ts"
import { PublicRpcs } from "./PublicRpcs.ts"
import { rpcPath, serialization } from "./RpcTransport.ts"

/**
 * Every method fails with the errors that its RPC declares, and with `RpcClientError` when no answer came. After that
 * the outcome of a mutation is unknown; the same call with the same `requestId` settles it.
 */
export type StarformClient = RpcClient.FromGroup<typeof PublicRpcs, RpcClientError>

export interface StarformClientOptions {
  /** Of Starbase, without a path: `https://starform.example`. A slash at the end is fine. */
  readonly url: string
  readonly token: Redacted.Redacted<string>
}

/** Nothing is sent before the first call. The client lives as long as the scope. */
export const make = Effect.fnUntraced(function* (
  options: StarformClientOptions
): Effect.fn.Return<StarformClient, never, HttpClient.HttpClient | Scope.Scope> {
  const http = (yield* HttpClient.HttpClient).pipe(
    HttpClient.mapRequest(HttpClientRequest.prependUrl(`${options.url.replace(/\/+$/, "")}${rpcPath}`)),
    HttpClient.filterStatusOk
  )
  const protocol = yield* RpcClient.makeProtocolHttp(http).pipe(
    Effect.provideService(RpcSerialization.RpcSerialization, serialization)
  )
  const authentication = yield* Layer.build(
    RpcMiddleware.layerClient(Authentication, ({ next, request }) => {
      const authorization = `Bearer ${Redacted.value(options.token)}`
      return next({ ...request, headers: Headers.set(request.headers, "authorization", authorization) })
    })
  )
  return yield* RpcClient.make(PublicRpcs).pipe(
    Effect.provideService(RpcClient.Protocol, protocol),
    Effect.provideContext(authentication)
  )
})
