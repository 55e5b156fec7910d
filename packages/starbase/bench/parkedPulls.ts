/** Agents that wait for news, each on a connection of its own, and come back however that ends. */
import { type Answer, etagOf, open, pullOf, retryAfterMs, type Wire } from "./agentWire.ts"
import { monotonicMs } from "./agents.ts"

const waitSeconds = 30

/** Until an agent whose connection failed tries again. */
const reconnectMs = 1000

export interface Standing {
  /** Connected, and their pull is sent. */
  readonly asking: number
  /** Pulls that were answered with something new since the last reset, with the time of it. */
  readonly news: ReadonlyArray<{ readonly cluster: number; readonly atMs: number }>
  /** Answers that are neither 304 nor news, and ends of connections, by status or code. */
  readonly errors: Readonly<Record<string, number>>
}

/** @param revisions what each agent has, and learns */
export const makeAgents = (port: number, revisions: Array<string>) => {
  let news: Array<{ readonly cluster: number; readonly atMs: number }> = []
  let errors: Record<string, number> = {}
  const wires = new Map<number, Wire>()
  const asking = new Set<number>()
  let isOver = false

  const count = (kind: string | number) => (errors[kind] = (errors[kind] ?? 0) + 1)

  const pull = (cluster: number, wire: Wire) => {
    wire.ask(pullOf(cluster, revisions[cluster]!, waitSeconds))
    asking.add(cluster)
  }

  const answered = (cluster: number) => (answer: Answer, wire: Wire) => {
    asking.delete(cluster)
    if (answer.status === 200) {
      news.push({ cluster, atMs: monotonicMs() })
      revisions[cluster] = etagOf(answer) ?? revisions[cluster]!
    } else if (answer.status !== 304) {
      count(answer.status)
      setTimeout(() => {
        if (wires.get(cluster) === wire) pull(cluster, wire)
      }, retryAfterMs(answer))
      return
    }
    pull(cluster, wire)
  }

  const connect = (cluster: number) => {
    const wire = open(port, {
      connected: (connected) => pull(cluster, connected),
      answered: answered(cluster),
      ended: (reason) => {
        // Of a connection that was cut on purpose nobody waits for the end.
        if (isOver || wires.get(cluster) !== wire) return
        count(reason)
        asking.delete(cluster)
        setTimeout(() => connect(cluster), reconnectMs)
      }
    })
    wires.set(cluster, wire)
  }

  const connectAll = () => {
    for (let cluster = 0; cluster < revisions.length; cluster++) connect(cluster)
  }

  return {
    park: connectAll,
    /** All connections end without a word, and all agents come back at once. */
    storm: () => {
      const old = [...wires.values()]
      wires.clear()
      asking.clear()
      for (const { socket } of old) socket.resetAndDestroy()
      connectAll()
    },
    standing: (): Standing => ({ asking: asking.size, news, errors }),
    reset: () => {
      news = []
      errors = {}
    },
    end: () => {
      isOver = true
      for (const { socket } of wires.values()) socket.resetAndDestroy()
    }
  }
}
