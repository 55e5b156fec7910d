/** A port of this machine that nothing listened on a moment ago. */
import { type AddressInfo, createServer } from "node:net"

export const freePort = (): Promise<number> =>
  new Promise((answer) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => answer(port))
    })
  })
