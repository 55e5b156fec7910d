/** Compares the ports that a container was told with those on which it listens (pure). */
import type { ListenProblem } from "./ContainerState.ts"
import { isLoopback, type ListeningSocket } from "./internal/listeningSockets.ts"

const shown = (socket: ListeningSocket): string =>
  socket.address.includes(":") ? `[${socket.address}]:${socket.port}` : `${socket.address}:${socket.port}`

/**
 * `port` is the value of `PORT`. Without any listening socket there is nothing to say: the container may still start.
 * Several sockets are named in order of their ports.
 */
export const listenProblem = (
  port: number,
  sockets: ReadonlyArray<ListeningSocket>
): ListenProblem | undefined => {
  const there = sockets.filter((socket) => socket.port === port)
  if (there.some((socket) => !isLoopback(socket.address))) {
    return undefined
  }
  const [only] = there
  if (only !== undefined) {
    return {
      reason: "UnreachableInterface",
      message: `listens on ${shown(only)} only, which nothing outside the pod can reach; listen on 0.0.0.0:${port}`
    }
  }
  const others = [...new Set(sockets.map((socket) => socket.port))].sort((left, right) => left - right)
  return others.length === 0
    ? undefined
    : { reason: "WrongPort", message: `listens on ${others.join(", ")}, but PORT is ${port}` }
}
