/** A line to a server that can fall silent: what is connected then stays so and hears nothing more, what connects later is served. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

export interface SilentLine {
  readonly port: number
  readonly silence: () => void
  readonly close: () => void
}

export const silentLine = async (port: number): Promise<SilentLine> => {
  const sockets = new Set<Socket>()
  const server = createServer((inward) => {
    const outward = connect(port, "127.0.0.1")
    for (const [one, other] of [
      [inward, outward],
      [outward, inward]
    ] as const) {
      sockets.add(one)
      one.pipe(other)
      one.on("error", () => other.destroy()).on("close", () => other.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    port: (server.address() as AddressInfo).port,
    silence: () => {
      for (const socket of sockets) socket.unpipe().pause()
      sockets.clear()
    },
    close: () => void server.close()
  }
}
