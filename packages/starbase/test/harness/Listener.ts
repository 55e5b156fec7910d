/** A TCP listener of a test on a port that the system chooses. */
import { createServer, type Socket } from "node:net"
import { Effect, type Scope } from "effect"

/** The port, until the scope closes: then nothing more is taken, and `release` ends what was. */
export const listen = (
  take: (socket: Socket) => void,
  release: () => void
): Effect.Effect<number, never, Scope.Scope> => {
  const listener = createServer(take)
  return Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      listener.listen(0, "127.0.0.1", () => {
        const address = listener.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    }),
    () =>
      Effect.sync(() => {
        listener.close()
        release()
      })
  )
}
