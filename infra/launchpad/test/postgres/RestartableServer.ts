/**
 * A PostgreSQL server that a test may stop as a crash would and start again, on the same port and data. Durable, unlike
 * the server that tests share: what was committed must be there afterwards. Tests reach it over HTTP, because the server
 * is of the run's process and they are not: `POST /stop` and `POST /start` answer when it is done.
 */
import { mkdtemp, realpath } from "node:fs/promises"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { Effect, Exit, Redacted, Scope } from "effect"
import type { TestProject } from "vitest/node"
import * as EmbeddedPostgres from "@starform/launchpad/postgres/EmbeddedPostgres"
import * as PostgresHome from "@starform/launchpad/postgres/PostgresHome"

declare module "vitest" {
  interface ProvidedContext {
    /** `http://` URL of who stops and starts the server of `postgresUrl`, for the projects that have one of their own. */
    readonly postgresControl: string
  }
}

type Run<A> = Effect.Effect<A, unknown, NodeServices.NodeServices>

const run = <A>(effect: Run<A>) => Effect.runPromise(Effect.provide(effect, NodeServices.layer))

const openServer = async (directory: string) => {
  let scope: Scope.Closeable | undefined
  let port = 0
  let pid = 0
  const start = async () => {
    scope = Scope.makeUnsafe()
    const server = await run(
      EmbeddedPostgres.make({
        directory,
        fallbackDirectory: EmbeddedPostgres.fallbackDirectory(resolve(import.meta.dirname, "../../../..")),
        port,
        durable: true,
        connectionsMax: 200
      }).pipe(Scope.provide(scope))
    )
    port = server.port
    pid = server.pid
    return Redacted.value(server.url)
  }
  /** At once, as a crash: nobody is told, nothing is flushed. */
  const stop = async () => {
    process.kill(pid, "SIGQUIT")
    if (scope !== undefined) await Effect.runPromise(Scope.close(scope, Exit.void))
    scope = undefined
  }
  const end = () => (scope === undefined ? Promise.resolve() : stop())
  return { start, stop, end, url: await start() }
}

export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  const directory = await mkdtemp(join(await realpath(tmpdir()), "starform-postgres-"))
  const server = await openServer(directory)
  const control = createServer((request, response) => {
    const act = request.url === "/stop" ? server.stop : server.start
    act().then(
      () => response.end(),
      (cause: unknown) => response.writeHead(500).end(String(cause))
    )
  })
  await new Promise<void>((done) => control.listen(0, "127.0.0.1", done))
  const address = control.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  project.provide("postgresUrl", server.url)
  project.provide("postgresControl", `http://127.0.0.1:${port}`)
  return async () => {
    control.close()
    await server.end()
    await run(PostgresHome.discard(directory, "10 seconds"))
  }
}
