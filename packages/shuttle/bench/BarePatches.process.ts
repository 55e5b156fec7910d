/**
 * The least that applying can cost: the same patches, sent by bare Node over kept connections. Arguments: URL, token, the
 * server's certificate.
 */
import { readFileSync } from "node:fs"
import { Agent, request } from "node:https"
import { serve } from "../../../bench/program.ts"

const [, , url = "", token = "", ca = ""] = process.argv

interface Patch {
  readonly path: string
  readonly manifest: { readonly kind: string }
}

const send = (agent: Agent, { manifest, path }: Patch) =>
  new Promise<void>((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      accept: "application/json",
      "content-type": "application/apply-patch+yaml"
    }
    const target = `${url}${path}?fieldManager=bare&force=true`
    const sent = request(target, { method: "PATCH", agent, headers }, (response) => {
      response
        .resume()
        .on("end", () =>
          (response.statusCode ?? 500) < 300
            ? resolve()
            : reject(new Error(`${path}: ${response.statusCode}`))
        )
    })
    sent.on("error", reject)
    sent.end(JSON.stringify(manifest))
  })

/** Milliseconds for all of them, `atOnce` under way; namespaces before what is in them. */
const apply = async ({ atOnce, file }: { readonly file: string; readonly atOnce: number }) => {
  const patches = JSON.parse(readFileSync(file, "utf8")) as ReadonlyArray<Patch>
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce, ca })
  const from = performance.now()
  const inTurns = async (part: ReadonlyArray<Patch>) => {
    let next = 0
    const worker = async () => {
      while (next < part.length) await send(agent, part[next++]!)
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
  }
  await inTurns(patches.filter(({ manifest }) => manifest.kind === "Namespace"))
  await inTurns(patches.filter(({ manifest }) => manifest.kind !== "Namespace"))
  agent.destroy()
  return performance.now() - from
}

serve({ apply })
