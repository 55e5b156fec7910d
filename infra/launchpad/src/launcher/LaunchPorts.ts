/** Which port is whose, and whether it is free. */
import { createServer } from "node:net"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

export interface LaunchPorts {
  readonly api: number
  readonly gateway: number
  readonly kubernetes: number
  readonly database: number
  readonly runner: number
  readonly shuttle: number
}

/** Six ports in a row, in the order in which people meet them. */
export const fromBase = (base: number): LaunchPorts => ({
  api: base,
  gateway: base + 1,
  kubernetes: base + 2,
  database: base + 3,
  runner: base + 4,
  shuttle: base + 5
})

/** Somebody listens there already; nothing was started. */
export class PortTaken extends Schema.TaggedError<PortTaken>()("PortTaken", {
  name: Schema.String,
  port: Schema.Int
}) {
  override get message() {
    return (
      `Port ${this.port} (${this.name}) is taken by another program.\n` +
      `Stop it, or start on other ports: npm start -- --port-base ${this.port + 1000}`
    )
  }
}

const isFree = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () =>
      server.close(() => resume(Effect.succeed(true)))
    )
  })

/** @errors PortTaken for the first that is not free */
export const check = (ports: LaunchPorts): Effect.Effect<void, PortTaken> =>
  Effect.forEach(
    Object.entries(ports) as ReadonlyArray<[string, number]>,
    ([name, port]) =>
      Effect.flatMap(isFree(port), (free) =>
        free ? Effect.void : Effect.fail(new PortTaken({ name, port }))
      ),
    { discard: true }
  )

/** How long the parts of a killed start may take to end. */
const patience = Duration.seconds(30)

/** As `check`, but waits for ports that may become free. */
export const checkPatiently = (ports: LaunchPorts): Effect.Effect<void, PortTaken> =>
  check(ports).pipe(
    Effect.retry({ schedule: Schedule.spaced("100 millis").pipe(Schedule.upTo({ duration: patience })) })
  )
