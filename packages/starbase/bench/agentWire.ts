/**
 * One agent's side of HTTP/1.1 on a bare socket: the bytes of a pull, and its answers. Made to cost the benchmark's own
 * process as little as possible; it understands only what Starbase's pulls are answered with.
 */
import { connect, type Socket } from "node:net"
import { clusterIdOf, tokenOf } from "./agents.ts"

/**
 * @param known the revision that the agent has; none for a full document
 * @param waitSeconds none for the plain pull
 */
export const pullOf = (cluster: number, known?: string, waitSeconds?: number): Buffer =>
  Buffer.from(
    [
      `GET /api/v1/clusters/${clusterIdOf(cluster)}/desired-state HTTP/1.1`,
      "Host: 127.0.0.1",
      `Authorization: Bearer ${tokenOf(cluster)}`,
      ...(known === undefined ? [] : [`If-None-Match: "${known}"`]),
      ...(waitSeconds === undefined ? [] : [`Prefer: wait=${waitSeconds}`]),
      "\r\n"
    ].join("\r\n")
  )

export interface Answer {
  readonly status: number
  readonly head: string
}

export const etagOf = ({ head }: Answer): string | undefined => /\r\netag: "([^"]+)"/i.exec(head)?.[1]

export const retryAfterMs = ({ head }: Answer): number =>
  Number(/\r\nretry-after: (\d+)/i.exec(head)?.[1] ?? 1) * 1000

const bodyBytes = (head: string): number => Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)

export interface Wire {
  readonly socket: Socket
  readonly ask: (request: Buffer) => void
}

/**
 * @param answered for each answer, once all of its body is there
 * @param ended once, with what ended the connection: the code of an error, or `closed`
 */
export const open = (
  port: number,
  on: {
    readonly connected: (wire: Wire) => void
    readonly answered: (answer: Answer, wire: Wire) => void
    readonly ended: (reason: string) => void
  }
): Wire => {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true })
  let text = ""
  let reason = "closed"
  const wire: Wire = { socket, ask: (request) => void socket.write(request) }
  socket.setEncoding("latin1")
  socket.on("connect", () => on.connected(wire))
  socket.on("data", (chunk: string) => {
    text = text === "" ? chunk : text + chunk
    for (;;) {
      const end = text.indexOf("\r\n\r\n")
      if (end === -1) return
      const status = Number(text.slice(9, 12))
      const head = text.slice(0, end)
      const whole = end + 4 + (status === 304 ? 0 : bodyBytes(head))
      if (text.length < whole) return
      text = text.slice(whole)
      on.answered({ status, head }, wire)
      if (text === "") return
    }
  })
  socket.on("error", (error: NodeJS.ErrnoException) => (reason = error.code ?? error.message))
  socket.on("close", () => on.ended(reason))
  return wire
}
