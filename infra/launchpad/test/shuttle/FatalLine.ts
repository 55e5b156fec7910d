/**
 * Between an agent and an API server: at one write, counted from when it is armed, the agent dies. Everything that is written
 * on the way is held against the invariants of pruning while it happens.
 */
import { Effect, type Scope } from "effect"
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse
} from "node:http"
import { accessOf, allows, shuttleGrants } from "../infra/ShuttleAccess.ts"
import { scopedServer } from "./AgentHarness.ts"

export interface Write {
  readonly method: string
  readonly path: string
  readonly body: string
}

export interface Answer {
  readonly status: number
  readonly body: string
}

/** `before`: the server never hears of the write. `after`: it did it, and the agent never hears of that. */
export type Moment = "before" | "after"

export interface Death {
  readonly isLast: (write: Write, count: number) => boolean
  readonly moment: Moment
  readonly end: () => void
}

const never: Death = { isLast: () => false, moment: "before", end: () => {} }

export interface FatalLine {
  readonly url: string
  /** Since it was armed. */
  readonly writes: Array<Write>
  /** From now on the agent dies at the write that `isLast` picks; `count` is from 1. `end` is called at that moment. */
  readonly arm: (death: Death) => void
  readonly isDead: () => boolean
  /** Now, between two writes. */
  readonly die: () => void
  /** Lets the next agent through. */
  readonly revive: () => void
  /** Sees each write before the server does; what it returns is answered in the server's stead. */
  onWrite: (write: Write) => Promise<Answer | null>
  /** Sees each answered read of one object. */
  onRead: (path: string, answer: Answer) => void
}

const read = async (stream: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString("utf8")
}

export const fatalLine = (target: string): Effect.Effect<FatalLine, never, Scope.Scope> =>
  Effect.gen(function* () {
    const agent = new Agent({ keepAlive: true })
    let death = never
    let isDead = false

    const forward = (incoming: IncomingMessage, body: string): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const { headers, method, url } = incoming
        const request = httpRequest(`${target}${url}`, { method, headers, agent }, resolve)
        request.on("error", reject)
        request.end(body)
      })

    const die = (): void => {
      isDead = true
      death.end()
      server.closeAllConnections()
    }

    const give = (outgoing: ServerResponse, { body, status }: Answer): void => {
      if (isDead) return
      outgoing.writeHead(status, { "content-type": "application/json" })
      outgoing.end(body)
    }

    const write = async (incoming: IncomingMessage, outgoing: ServerResponse, path: string) => {
      const made = { method: incoming.method ?? "", path, body: await read(incoming) }
      if (isDead) return
      const count = self.writes.push(made)
      const isLast = death.isLast(made, count)
      if (isLast && death.moment === "before") return die()
      const instead = await self.onWrite(made)
      const answer = instead ?? (await answered(await forward(incoming, made.body)))
      if (isLast) return die()
      give(outgoing, answer)
    }

    const answered = async (answer: IncomingMessage): Promise<Answer> => ({
      status: answer.statusCode ?? 502,
      body: await read(answer)
    })

    const look = async (
      incoming: IncomingMessage,
      outgoing: ServerResponse,
      path: string,
      isWatch: boolean
    ) => {
      const answer = await forward(incoming, "")
      if (isWatch) {
        outgoing.on("close", () => answer.destroy())
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        return void answer.pipe(outgoing)
      }
      const whole = await answered(answer)
      self.onRead(path, whole)
      give(outgoing, whole)
    }

    /** As infra/kubernetes allows it to Shuttle, and no more. */
    const isPermitted = ({ method = "", url = "/" }: IncomingMessage): boolean => {
      const access = accessOf(method, url)
      return access === null || allows(shuttleGrants, access)
    }

    const server = createServer((incoming, outgoing) => {
      if (isDead) return void incoming.socket.destroy()
      if (!isPermitted(incoming)) return void outgoing.writeHead(403).end()
      const [path = "", query = ""] = (incoming.url ?? "/").split("?")
      const done =
        incoming.method === "GET"
          ? look(incoming, outgoing, path, query.includes("watch="))
          : write(incoming, outgoing, path)
      done.catch(() => outgoing.destroy())
    })
    const self: FatalLine = {
      url: yield* scopedServer(server),
      writes: [],
      arm: (next) => {
        self.writes.length = 0
        death = next
      },
      isDead: () => isDead,
      die,
      revive: () => {
        death = never
        isDead = false
      },
      onWrite: () => Promise.resolve(null),
      onRead: () => {}
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => agent.destroy()))
    return self
  })
