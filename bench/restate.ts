/** Virtual objects of Restate: each ask sets one value of an object and is answered when that is durable. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePort } from "./freePort.ts"
import { eventually, install, type Load, post, type Rival, run, versionOf } from "./rivals.ts"

const restateProgram = (port: number) => `
import * as restate from "@restatedev/restate-sdk"
const app = restate.object({
  name: "App",
  handlers: { set: async (context, value) => { context.set("value", value) } }
})
restate.endpoint().bind(app).listen(${port})
`

/** @errors with what npm or Restate said */
export const startRestate = async (
  folder: string,
  { callers, entities }: Load,
  value: object
): Promise<Rival> => {
  install(folder, "@restatedev/restate-server", "@restatedev/restate-sdk")
  const [service, ingress, admin, node] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort()
  ]
  writeFileSync(join(folder, "service.mjs"), restateProgram(service))
  const binary = join(
    folder,
    `node_modules/@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`
  )
  const version = versionOf(binary)
  const stopService = run(process.execPath, [join(folder, "service.mjs")])
  const stopServer = run(binary, ["--base-dir", join(folder, "data")], {
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
    RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
    RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}`,
    DO_NOT_TRACK: "1"
  })
  const stop = async () => {
    await stopServer()
    await stopService()
  }
  const set = (n: number) =>
    post(`http://127.0.0.1:${ingress}/App/${(n * 7919) % entities}/set`, { ...value, n })
  try {
    await eventually(() =>
      post(`http://127.0.0.1:${admin}/deployments`, { uri: `http://127.0.0.1:${service}` })
    )
    await eventually(() => set(1))
  } catch (problem) {
    await stop()
    throw problem
  }
  return {
    name: "Restate virtual objects",
    version,
    round: async (seconds) => {
      let answers = 0
      const from = performance.now()
      const until = from + seconds * 1000
      const caller = async (first: number) => {
        for (let n = first; performance.now() < until; n += callers) {
          await set(n)
          answers++
        }
      }
      await Promise.all(Array.from({ length: callers }, (_, first) => caller(first)))
      return (answers * 1000) / (performance.now() - from)
    },
    stop
  }
}
