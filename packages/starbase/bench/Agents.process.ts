/** The agents of many clusters, in a process of their own. */
import { serve } from "../../../bench/program.ts"
import { type Answer, etagOf, open, pullOf } from "./agentWire.ts"
import { makeAgents } from "./parkedPulls.ts"
import { type PlainRound, runPlain } from "./plainPulls.ts"

let revisions: Array<string> = []
let requests: ReadonlyArray<Buffer> = []
let agents: ReturnType<typeof makeAgents> | undefined

/** Connections over which the first documents are fetched. */
const learners = 32

/** Each agent fetches its full document: it has the present revision then. */
const learn = async (asked: { readonly port: number; readonly clusters: number }) => {
  revisions = Array.from({ length: asked.clusters }, () => "")
  let next = 0
  const learner = () =>
    new Promise<void>((resolve, reject) => {
      let cluster = next++
      const step = (ask: (request: Buffer) => void, end: () => void) => {
        if (cluster < asked.clusters) ask(pullOf(cluster))
        else end()
      }
      open(asked.port, {
        connected: ({ ask, socket }) => step(ask, () => void socket.end()),
        answered: (answer: Answer, { ask, socket }) => {
          const etag = etagOf(answer)
          if (answer.status !== 200 || etag === undefined) reject(new Error(`a first pull: ${answer.head}`))
          else revisions[cluster] = etag
          cluster = next++
          step(ask, () => void socket.end())
        },
        ended: () => resolve()
      })
    })
  await Promise.all(Array.from({ length: learners }, learner))
  const missing = revisions.filter((revision) => revision === "").length
  if (missing > 0) throw new Error(`${missing} agents got no document`)
  requests = revisions.map((revision, cluster) => pullOf(cluster, revision))
}

serve({
  learn,
  plain: (round: PlainRound) => runPlain(round, requests),
  park: (port: number) => {
    agents = makeAgents(port, [...revisions])
    agents.park()
  },
  storm: () => agents?.storm(),
  standing: () => agents?.standing(),
  reset: () => agents?.reset(),
  end: () => agents?.end()
})
