/** One keep-alive connection of an agent, as little of HTTP/1.1 as its answers need: the benchmark measures the other end. */
import { connect, type Socket } from "node:net"
import { clusterIdOf, tokenOf } from "./agents.ts"

export interface Answer {
  readonly status: number
  readonly etag: string | undefined
}

const headOf = (text: string): Answer => ({
  status: Number(text.slice(9, 12)),
  etag: /\r\netag: "([^"]+)"/i.exec(text)?.[1]
})

/** A pull of cluster `n` that knows `etag`; `wait` seconds long. */
export const pull = (n: number, etag: string | undefined, wait = 0): string =>
  `GET /api/v1/clusters/${clusterIdOf(n)}/desired-state HTTP/1.1\r\nhost: starbase\r\n` +
  `authorization: Bearer ${tokenOf(n)}\r\n` +
  (etag === undefined ? "" : `if-none-match: "${etag}"\r\n`) +
  (wait === 0 ? "" : `prefer: wait=${wait}\r\n`) +
  "\r\n"

export interface HttpWire {
  /** The next request may be sent only after `onAnswer` or `onLost` of this one. */
  readonly send: (request: string, onAnswer: (answer: Answer) => void, onLost: () => void) => void
  readonly close: () => void
}

export const open = (port: number): HttpWire => {
  let socket: Socket | undefined
  let asker: { readonly onAnswer: (answer: Answer) => void; readonly onLost: () => void } | undefined
  let head = ""
  let answer: Answer | undefined
  let bodyBytes = 0

  const lose = () => {
    socket?.destroy()
    socket = undefined
    head = ""
    answer = undefined
    const lost = asker
    asker = undefined
    lost?.onLost()
  }
  const finish = () => {
    const [whole, told] = [answer, asker]
    answer = undefined
    asker = undefined
    head = ""
    if (whole !== undefined) told?.onAnswer(whole)
  }
  const receive = (chunk: Buffer) => {
    if (answer === undefined) {
      head += chunk.toString("latin1")
      const end = head.indexOf("\r\n\r\n")
      if (end < 0) return
      answer = headOf(head)
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
      bodyBytes = answer.status === 304 ? 0 : length - (head.length - end - 4)
    } else {
      bodyBytes -= chunk.length
    }
    if (bodyBytes <= 0) finish()
  }
  return {
    send: (request, onAnswer, onLost) => {
      asker = { onAnswer, onLost }
      if (socket === undefined) {
        const fresh = connect({ port, host: "127.0.0.1", noDelay: true })
        socket = fresh
        fresh.on("data", receive)
        fresh.on("error", () => {})
        fresh.on("close", () => {
          if (socket === fresh) lose()
        })
      }
      socket.write(request)
    },
    close: () => {
      asker = undefined
      socket?.destroy()
      socket = undefined
    }
  }
}
