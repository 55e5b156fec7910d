/** A TCP wire to a database that can be cut around one statement, so that a real client really loses a COMMIT. */
import { connect, type Socket } from "node:net"
import { Effect, type Scope } from "effect"
import { listen } from "../harness/Listener.ts"

export type Cut = "before the statement" | "after the commit"

interface Wire {
  readonly port: number
  /**
   * Cuts the connection that carries the next statement with this text: before the server gets it, or after the
   * server has answered and before the client hears it.
   */
  readonly cutAround: (text: string, cut: Cut) => Effect.Effect<void>
  /** How many connections were cut so far. */
  readonly cuts: Effect.Effect<number>
}

export const cutWire = (server: URL): Effect.Effect<Wire, never, Scope.Scope> =>
  Effect.gen(function* () {
    const sockets = new Set<Socket>()
    let armed: { readonly text: string; readonly cut: Cut } | undefined
    let cuts = 0
    const carry = (client: Socket) => {
      const upstream = connect(Number(server.port), server.hostname)
      const close = () => {
        client.destroy()
        upstream.destroy()
      }
      let isMute = false
      client.on("data", (chunk) => {
        const isIt = armed !== undefined && chunk.includes(armed.text)
        if (isIt && armed?.cut === "before the statement") {
          cuts++
          armed = undefined
          close()
          return
        }
        if (isIt) {
          armed = undefined
          isMute = true
        }
        upstream.write(chunk)
      })
      upstream.on("data", (chunk) => {
        if (!isMute) {
          client.write(chunk)
        } else if (chunk.includes("INSERT") || chunk.includes("SELECT ")) {
          cuts++
          close()
        }
      })
      for (const socket of [client, upstream]) {
        sockets.add(socket)
        socket.on("error", close)
        socket.on("close", close)
      }
    }
    const port = yield* listen(carry, () => sockets.forEach((socket) => socket.destroy()))
    return {
      port,
      cutAround: (text, cut) =>
        Effect.sync(() => {
          armed = { text, cut }
        }),
      cuts: Effect.sync(() => cuts)
    }
  })
