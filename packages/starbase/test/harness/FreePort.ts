/**
 * A port that nothing listened on a moment ago; only for what cannot be told to choose its own. Taken in turn from a
 * range of the test's process, below the one that the system gives to connections: what another process asks for, or
 * where a connection starts, is never the same.
 */
import { createServer } from "node:net"
import { Effect } from "effect"

const rangeFirst = 21_000
const portsPerProcess = 50
const ranges = 200

let taken = 0

const canListen = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () =>
      server.close(() => resume(Effect.succeed(true)))
    )
  })

export const freePort: Effect.Effect<number> = Effect.suspend(() => {
  const port = rangeFirst + (process.pid % ranges) * portsPerProcess + (taken++ % portsPerProcess)
  return Effect.flatMap(canListen(port), (isFree) => (isFree ? Effect.succeed(port) : freePort))
})
