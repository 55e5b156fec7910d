/**
 * One PostgreSQL server per vitest run for every project whose tests ask for it with `inject("postgresUrl")`.
 * The URL is a superuser's: each test file creates a database of its own.
 */
import { NodeServices } from "@effect/platform-node"
import { Context, Effect, Exit, Layer, Redacted, Scope } from "effect"
import type { TestProject } from "vitest/node"
import * as EmbeddedPostgres from "@starform/launchpad/postgres/EmbeddedPostgres"

declare module "vitest" {
  interface ProvidedContext {
    /** `postgres://` URL of the run's server. */
    readonly postgresUrl: string
  }
}

/** Vitest calls this for each project in turn; the first one starts the server for all. */
export const setup = async (project: TestProject): Promise<(() => Promise<void>) | undefined> => {
  const root = project.vitest.getRootProject()
  if (root.getProvidedContext().postgresUrl !== undefined) return undefined
  const scope = Scope.makeUnsafe()
  const layer = Layer.provide(EmbeddedPostgres.layerTest, NodeServices.layer)
  const server = await Effect.runPromise(Layer.buildWithScope(layer, scope))
  root.provide("postgresUrl", Redacted.value(Context.get(server, EmbeddedPostgres.EmbeddedPostgres).url))
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
}
