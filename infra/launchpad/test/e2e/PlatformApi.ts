/** The public API of a running platform, as a program uses it. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { EnvironmentName, Slug } from "@starform/domain/ids/Slug"
import * as StarformClient from "@starform/domain/protocol/StarformClient"
import { Effect, Redacted } from "effect"
import { operatorToken, type Platform, workspaceToken } from "./LaunchedPlatform.ts"

type Client = StarformClient.StarformClient

const call = <A, E>(
  platform: Platform,
  token: string,
  ask: (client: Client) => Effect.Effect<A, E>
): Promise<A> =>
  Effect.runPromise(
    StarformClient.make({
      url: `http://127.0.0.1:${platform.portBase}`,
      token: Redacted.make(token)
    }).pipe(Effect.flatMap(ask), Effect.scoped, Effect.provide(NodeHttpClient.layerNodeHttp))
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
