import * as Effect from "effect/Effect"
import * as net from "node:net"

/** Whether the port is free on every address of the machine, at this moment. */
export const canListen = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const server = net.createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen({ port, host: "0.0.0.0", exclusive: true }, () =>
      server.close(() => resume(Effect.succeed(true)))
    )
  })
