/** A TCP wire to a port of this machine that a test cuts, stalls or delays, in either direction. */
import { connect, type Socket } from "node:net"
import { Effect } from "effect"
import { listen } from "../harness/Listener.ts"

export type Direction = "to the server" | "to the client"

export interface FaultWire {
  readonly port: number
  /** Every connection is reset, and a new one is too, until `mend`. */
  readonly cut: Effect.Effect<void>
  /** Bytes are taken and none is passed on, also of new connections, until `mend`, which passes on what was held. */
  readonly stall: (...directions: ReadonlyArray<Direction>) => Effect.Effect<void>
  /** What passes now passes never again, and nobody is told; new connections do. */
  readonly forget: Effect.Effect<void>
  /** Every chunk arrives that much later, in order. */
  readonly delay: (milliseconds: number, ...directions: ReadonlyArray<Direction>) => Effect.Effect<void>
  readonly mend: Effect.Effect<void>
}

const both: ReadonlyArray<Direction> = ["to the server", "to the client"]

/** One direction of one connection: chunks leave in the order in which they came, each when it may. */
interface Lane {
  readonly wake: () => void
  isForgotten: boolean
}

export const make = Effect.fnUntraced(function* (target: number) {
  const lanes = new Set<Lane>()
  const sockets = new Set<Socket>()
  const stalled = new Set<Direction>()
  const delays = new Map<Direction, number>()
  let isCut = false

  const lane = (direction: Direction, from: Socket, to: Socket) => {
    const held: Array<{ readonly chunk: Buffer; readonly dueAt: number }> = []
    let isOver = false
    const flush = () => {
      if (self.isForgotten) return
      while (held.length > 0 && !stalled.has(direction)) {
        const wait = held[0]!.dueAt - performance.now()
        if (wait > 0) {
          setTimeout(flush, wait)
          return
        }
        to.write(held.shift()!.chunk)
      }
      // While it stalls nobody learns that the other end is gone.
      if (isOver && !stalled.has(direction)) {
        lanes.delete(self)
        to.destroy()
      }
    }
    const self: Lane = { wake: flush, isForgotten: false }
    lanes.add(self)
    from.on("data", (chunk: Buffer) => {
      held.push({ chunk, dueAt: performance.now() + (delays.get(direction) ?? 0) })
      flush()
    })
    from.on("close", () => {
      isOver = true
      flush()
    })
  }

  const carry = (client: Socket) => {
    if (isCut) {
      client.resetAndDestroy()
      return
    }
    const server = connect(target, "127.0.0.1")
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on("error", () => socket.destroy())
      socket.on("close", () => sockets.delete(socket))
    }
    lane("to the server", client, server)
    lane("to the client", server, client)
  }

  const reset = () => sockets.forEach((socket) => socket.resetAndDestroy())
  const port = yield* listen(carry, reset)
  const wire: FaultWire = {
    port,
    cut: Effect.sync(() => {
      isCut = true
      reset()
    }),
    stall: (...directions) =>
      Effect.sync(() => (directions.length === 0 ? both : directions).forEach((each) => stalled.add(each))),
    forget: Effect.sync(() => lanes.forEach((lane) => (lane.isForgotten = true))),
    delay: (milliseconds, ...directions) =>
      Effect.sync(() =>
        (directions.length === 0 ? both : directions).forEach((each) => delays.set(each, milliseconds))
      ),
    mend: Effect.sync(() => {
      isCut = false
      stalled.clear()
      delays.clear()
      lanes.forEach(({ wake }) => wake())
    })
  }
  return wire
})
