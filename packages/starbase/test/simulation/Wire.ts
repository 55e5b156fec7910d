/**
 * TCP between runners: bytes arrive in order or not at all. What passes over it is effect's own protocol; here are
 * connections, and what becomes of them.
 */
import * as SocketServer from "effect/socket/SocketServer"
import * as Socket from "effect/socket/Socket"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type { Process } from "./World.ts"

type Frame = Uint8Array | string
type Frames = readonly [Frame, ...Array<Frame>]
type Answer = (result: Effect.Effect<Frames, Socket.SocketError>) => void

const closed = (code: number) => new Socket.SocketError({ reason: new Socket.SocketCloseError({ code }) })
const refused = new Socket.SocketError({
  reason: new Socket.SocketOpenError({ kind: "Unknown", cause: "connection refused" })
})
const timedOut = new Socket.SocketError({
  reason: new Socket.SocketOpenError({ kind: "Timeout", cause: "nobody answers" })
})

/** How long a door may take to be answered, as in `RunnerTransport`. */
const openTimeoutMs = 1_000

/** One side of a connection. */
class End {
  peer!: End
  private readonly frames: Array<Frame> = []
  private error: Socket.SocketError | undefined
  private waiting: Answer | undefined
  /** Sent to this side and not there yet, while the way is blocked. */
  private readonly held: Array<() => void> = []
  private lastArrival = 0
  readonly wire: Wire
  readonly process: Process
  readonly address: string

  constructor(wire: Wire, process: Process, address: string) {
    this.wire = wire
    this.process = process
    this.address = address
  }

  /** Arrives after everything that was sent before. */
  private arrive(run: () => void): void {
    const { world } = this.process
    const at = Math.max(this.lastArrival, world.nowMs + this.wire.latency())
    this.lastArrival = at
    this.wire.net.after(at - world.nowMs, () => {
      if (this.held.length > 0 || this.wire.isBlocked(this.peer.address, this.address)) this.held.push(run)
      else run()
    })
  }

  flush(): void {
    if (this.wire.isBlocked(this.peer.address, this.address)) return
    this.held.splice(0).forEach((run) => run())
  }

  private give(): void {
    if (this.waiting === undefined) return
    const [first, ...rest] = this.frames
    if (first === undefined && this.error === undefined) return
    const answer = this.waiting
    this.waiting = undefined
    this.frames.length = 0
    answer(first === undefined ? Effect.fail(this.error!) : Effect.succeed([first, ...rest]))
  }

  send(frame: Frame): Effect.Effect<void, Socket.SocketError> {
    return Effect.suspend(() => {
      if (this.error !== undefined) return Effect.fail(this.error)
      const copy = typeof frame === "string" ? frame : frame.slice()
      this.peer.arrive(() => {
        if (this.peer.error !== undefined) return
        this.peer.frames.push(copy)
        this.peer.give()
      })
      return Effect.void
    })
  }

  fail(error: Socket.SocketError): void {
    this.error ??= error
    this.give()
  }

  /** This side is done; the other hears of it after what was sent before. */
  close(): void {
    if (this.error !== undefined) return
    this.error = closed(1006)
    this.give()
    this.peer.arrive(() => this.peer.fail(closed(1000)))
    this.wire.forget(this)
  }

  /** Both sides hear of a broken connection; what is on its way is lost. */
  cut(): void {
    this.fail(closed(1006))
    this.peer.fail(closed(1006))
    this.wire.forget(this)
  }

  readonly pull: Effect.Effect<Frames, Socket.SocketError> = Effect.suspend(() =>
    this.process.wait<Frames, Socket.SocketError>((answer) => {
      this.waiting = answer
      this.give()
      return () => {
        if (this.waiting === answer) this.waiting = undefined
      }
    })
  )
}

const readerOf = (end: End): Socket.Reader => ({
  pull: end.pull,
  upgrade: Socket.SocketUpgradeError.unsupported
})

const write = (end: End, chunk: Frame | Socket.CloseEvent) =>
  Socket.isCloseEvent(chunk) ? Effect.sync(() => end.close()) : end.send(chunk)

interface Door {
  readonly process: Process
  readonly accept: (end: End) => void
}

export class Wire {
  private readonly doors = new Map<string, Door>()
  private readonly ends = new Set<End>()
  private readonly blocked = new Set<string>()
  readonly net: Process
  readonly latency: () => number

  constructor(net: Process, latency: () => number) {
    this.net = net
    this.latency = latency
  }

  isBlocked(from: string, to: string): boolean {
    return this.blocked.has(`${from} ${to}`)
  }

  /** Nothing passes from one to the other until `heal`; nobody is told. */
  block(from: string, to: string): void {
    this.blocked.add(`${from} ${to}`)
  }

  heal(): void {
    this.blocked.clear()
    this.ends.forEach((end) => end.flush())
  }

  /** Breaks every connection between two addresses. */
  cut(a: string, b: string): void {
    for (const end of Array.from(this.ends)) {
      const isIt =
        (end.address === a && end.peer.address === b) || (end.address === b && end.peer.address === a)
      if (isIt) end.cut()
    }
  }

  forget(end: End): void {
    this.ends.delete(end)
    this.ends.delete(end.peer)
  }

  /** The operating system ends the connections of a process that is gone. */
  private gone(process: Process): void {
    for (const [address, door] of this.doors) if (door.process === process) this.doors.delete(address)
    for (const end of Array.from(this.ends)) if (end.process === process) end.close()
  }

  private open(
    from: Process,
    fromAddress: string,
    to: string,
    answer: (end: Effect.Effect<End, Socket.SocketError>) => void
  ) {
    let isWanted = true
    let made: End | undefined
    this.net.after(this.latency(), () => {
      if (!isWanted) return
      if (this.isBlocked(fromAddress, to)) {
        this.net.after(openTimeoutMs, () => isWanted && answer(Effect.fail(timedOut)))
        return
      }
      const door = this.doors.get(to)
      if (door === undefined) {
        answer(Effect.fail(refused))
        return
      }
      const mine = new End(this, from, fromAddress)
      const theirs = new End(this, door.process, to)
      mine.peer = theirs
      theirs.peer = mine
      made = mine
      this.ends.add(mine).add(theirs)
      door.accept(theirs)
      this.net.after(this.latency(), () => isWanted && answer(Effect.succeed(mine)))
    })
    return () => {
      isWanted = false
      made?.close()
    }
  }

  /** A connection that is made when it is first read from, and anew whenever its reader is. */
  socket(from: Process, fromAddress: string, to: string): Socket.Socket {
    const isOpen = Latch.makeUnsafe(false)
    let current: End | undefined
    const reader = Effect.gen({ self: this }, function* () {
      const end = yield* Effect.acquireRelease(
        Effect.interruptible(
          from.wait<End, Socket.SocketError>((answer) => this.open(from, fromAddress, to, answer))
        ),
        (end) =>
          Effect.sync(() => {
            current = undefined
            isOpen.closeUnsafe()
            end.close()
          })
      )
      current = end
      isOpen.openUnsafe()
      return readerOf(end)
    })
    const writeNow = (chunk: Frame | Socket.CloseEvent) =>
      Effect.andThen(
        isOpen.await,
        Effect.suspend(() => (current === undefined ? Effect.fail(closed(1006)) : write(current, chunk)))
      )
    return Socket.make({
      reader,
      writer: Effect.succeed({
        write: writeNow,
        writeAll: (chunks) => Effect.forEach(chunks, writeNow, { discard: true })
      })
    })
  }

  /** Answers the door at an address for the life of the scope. */
  private serve<R, E, A>(
    process: Process,
    address: string,
    handler: (socket: Socket.Socket) => Effect.Effect<A, E, R>
  ): Effect.Effect<never, never, R> {
    return Effect.gen({ self: this }, function* () {
      const fork = yield* FiberSet.makeRuntime<R, A, E>()
      const handle = (end: End) => {
        const socket = Socket.make({
          reader: Effect.succeed(readerOf(end)),
          writer: Effect.succeed({
            write: (chunk) => write(end, chunk),
            writeAll: (chunks) => Effect.forEach(chunks, (chunk) => write(end, chunk), { discard: true })
          })
        })
        return Effect.ensuring(
          handler(socket),
          Effect.sync(() => end.close())
        )
      }
      yield* Effect.acquireRelease(
        Effect.sync(() =>
          this.doors.set(address, { process, accept: (end) => process.post(() => void fork(handle(end))) })
        ),
        () => Effect.sync(() => this.gone(process))
      )
      return yield* Effect.never
    }).pipe(Effect.scoped)
  }

  layerServer(process: Process, host: string, port: number): Layer.Layer<SocketServer.SocketServer> {
    return Layer.sync(SocketServer.SocketServer, () => {
      process.whenEnded(() => this.gone(process))
      return SocketServer.SocketServer.of({
        address: Result.getOrThrow(NetAddress.inetAddressFromIpString(host, port)),
        run: (handler) => this.serve(process, `${host}:${port}`, handler)
      })
    })
  }
}
