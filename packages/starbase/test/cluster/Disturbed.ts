/**
 * What is wrong with one runner's process from its first moment: its clock, and where its connections lead. Imported
 * before anything else of the process, which then cannot tell. Only the wall clock is shifted (`Date`): timers and
 * `performance` run as on any machine whose clock is wrong.
 */
import { Socket } from "node:net"

export interface Disturbance {
  /** Milliseconds that the process's clock is ahead; negative when it is behind. */
  readonly clockAheadMs: number
  /** A port that is connected to → the port of a wire that leads there. */
  readonly wires: Readonly<Record<number, number>>
}

const disturbance: Disturbance = JSON.parse(process.argv[2] ?? '{"clockAheadMs":0,"wires":{}}')

const { clockAheadMs, wires } = disturbance

if (clockAheadMs !== 0) {
  const RealDate = Date
  globalThis.Date = class extends RealDate {
    constructor(...given: ReadonlyArray<number>) {
      super(...((given.length === 0 ? [RealDate.now() + clockAheadMs] : given) as [number]))
    }
    static override now() {
      return RealDate.now() + clockAheadMs
    }
  } as DateConstructor
}

const portOf = (given: unknown): { port?: unknown } | undefined => {
  const options: unknown = Array.isArray(given) ? given[0] : given
  return typeof options === "object" && options !== null ? options : undefined
}

const connect = Socket.prototype.connect as (...given: ReadonlyArray<unknown>) => Socket

Socket.prototype.connect = function (this: Socket, ...given: ReadonlyArray<unknown>) {
  const options = portOf(given[0])
  const wire = wires[Number(options?.port)]
  if (options !== undefined && wire !== undefined) options.port = wire
  return connect.apply(this, [...given])
} as typeof connect
