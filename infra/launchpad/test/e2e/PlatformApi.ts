/** The public API of a running platform, as a program uses it. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { PublicRpcs } from "@starform/domain/protocol/PublicRpcs"
import { serialization } from "@starform/domain/protocol/RpcTransport"
import * as Registration from "@starform/launchpad/launcher/Registration"
import { EnvironmentName, Slug } from "@starform/domain/ids/Slug"
import { Effect, Layer, Redacted } from "effect"
import * as RpcClient from "effect/rpc/RpcClient"
import type { RpcClientError } from "effect/rpc/RpcClientError"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import { operatorToken, type Platform, workspaceToken } from "./LaunchedPlatform.ts"

type Client = RpcClient.FromGroup<typeof PublicRpcs, RpcClientError>

const call = <A, E>(
  platform: Platform,
  token: string,
  ask: (client: Client) => Effect.Effect<A, E>
): Promise<A> =>
  Effect.runPromise(
    Effect.flatMap(RpcClient.make(PublicRpcs), ask).pipe(
      Effect.scoped,
      Effect.provide(
        Registration.layerClient(`http://127.0.0.1:${platform.portBase}`, Redacted.make(token)).pipe(
          Layer.provide([
            NodeHttpClient.layerNodeHttp,
            Layer.succeed(RpcSerialization.RpcSerialization, serialization)
          ])
        )
      )
    )
  )

/** As the workspace. */
export const asWorkspace = <A, E>(platform: Platform, ask: (client: Client) => Effect.Effect<A, E>) =>
  call(platform, workspaceToken(platform), ask)

/** As the operator. */
export const asOperator = <A, E>(platform: Platform, ask: (client: Client) => Effect.Effect<A, E>) =>
  call(platform, operatorToken(platform), ask)

/** The production app of a service in the local project. */
export const appOf = (service: string) => ({
  workspace: Slug.make("local"),
  project: Slug.make("demo"),
  environment: EnvironmentName.make("production"),
  service: Slug.make(service)
})
