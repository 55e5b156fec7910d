import { connect, createServer } from "node:net"
import * as Effect from "effect/Effect"

/** The only address that the server listens on. */
export const host = "127.0.0.1"

/** The port, or one that the system chose when it is 0. Undefined when another process listens on it. */
export const freePort = (port: number): Effect.Effect<number | void> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.void))
    server.listen(port, host, () => {
      const address = server.address()
      const chosen = typeof address === "object" && address !== null ? address.port : port
      server.close(() => resume(Effect.succeed(chosen)))
    })
  })

/**
 * Whether a server on the port asks a client to authenticate. False while it starts, recovers or stops.
 * @source PostgreSQL manual, Message Formats: StartupMessage 3.0; the first answer is `R` or an error `E`.
 */
export const asksToAuthenticate = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const parameters = Buffer.from("\0\x03\0\0user\0starform\0database\0postgres\0\0", "latin1")
    const length = Buffer.alloc(4)
    length.writeUInt32BE(length.length + parameters.length)
    const socket = connect(port, host)
    const answer = (yes: boolean) => {
      socket.destroy()
      resume(Effect.succeed(yes))
    }
    socket.once("connect", () => socket.write(Buffer.concat([length, parameters])))
    socket.once("data", (data) => answer(data.toString("latin1", 0, 1) === "R"))
    socket.once("error", () => answer(false))
    socket.once("close", () => answer(false))
    return Effect.sync(() => socket.destroy())
  })
