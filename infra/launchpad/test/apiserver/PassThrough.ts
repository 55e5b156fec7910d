/**
 * A real API server at a plain URL on loopback, where the in-memory one has its own: TLS and the kubeconfig's credentials are on
 * the far side, so that the tests' token and counting proxy are the same for both. It remembers the namespaces that were made.
 */
import { NodeServices } from "@effect/platform-node"
import * as KubernetesConnection from "@starform/shuttle/kubernetes/KubernetesConnection"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import { Context, Effect, Layer, Option, Redacted } from "effect"
import {
  Agent as PlainAgent,
  createServer,
  type IncomingMessage,
  request as plainRequest,
  type ServerResponse
} from "node:http"
import { Agent as TlsAgent, request as tlsRequest } from "node:https"
import type { AddressInfo } from "node:net"
import { accessOf } from "../infra/ShuttleAccess.ts"

export interface PassThrough {
  readonly url: string
  /** Namespaces that this run made and did not yet remove. */
  readonly made: Set<string>
  readonly close: () => Promise<void>
}

/** Where tests ask for the removal of what they made; no path of Kubernetes. */
export const cleanPath = "/starform-test/clean"

/** By Shuttle's own reading of a kubeconfig. */
const connectionOf = (kubeconfigFile: string): Promise<KubernetesConnection.Connection> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.map(
        Layer.build(
          KubernetesConnection.layer.pipe(
            Layer.provide(ShuttleConfig.layerTest({ kubeconfigFile: Option.some(kubeconfigFile) })),
            Layer.provide(NodeServices.layer)
          )
        ),
        (context) => Context.get(context, KubernetesConnection.KubernetesConnection)
      )
    )
  )

const whole = async (message: IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const nameIn = (body: Buffer): string | null => {
  const { metadata } = JSON.parse(body.toString("utf8")) as { readonly metadata?: { readonly name?: string } }
  return metadata?.name ?? null
}

/** @param clean what a request for `cleanPath` does */
export const open = async (
  kubeconfigFile: string,
  clean: (through: PassThrough) => Promise<void>
): Promise<PassThrough> => {
  const connection = await connectionOf(kubeconfigFile)
  const isPlain = connection.url.startsWith("http:")
  const agent = isPlain
    ? new PlainAgent({ keepAlive: true })
    : new TlsAgent({ keepAlive: true, ...connection.tls })
  const made = new Set<string>()

  const forward = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const { headers, method = "GET", url = "/" } = incoming
    const access = accessOf(method, url)
    const makes =
      access?.resource === "namespaces" && method !== "GET" && method !== "DELETE" && !url.includes("dryRun=")
    const body = makes ? await whole(incoming) : null
    const authorization = await Effect.runPromise(connection.authorization)
    const { authorization: _, host: __, ...kept } = headers
    const sent = {
      ...kept,
      ...Option.match(authorization, {
        onNone: () => ({}),
        onSome: (value) => ({ authorization: Redacted.value(value) })
      })
    }
    const ask = isPlain ? plainRequest : tlsRequest
    const onward = ask(`${connection.url}${url}`, { method, headers: sent, agent }, (answer) => {
      if (body !== null && answer.statusCode === 201) {
        const name = access?.name ?? nameIn(body)
        if (name !== null) made.add(name)
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
      answer.on("error", () => outgoing.destroy())
    })
    onward.on("error", () => outgoing.destroy())
    // A write goes on although its sender left: what it made must be known.
    outgoing.on("close", () => void (method === "GET" && onward.destroy()))
    if (body === null) incoming.pipe(onward)
    else onward.end(body)
  }

  const server = createServer((incoming, outgoing) => {
    const failed = (cause: unknown) => {
      if (!outgoing.headersSent) outgoing.writeHead(500)
      outgoing.end(String(cause))
    }
    if (incoming.url === cleanPath) {
      void clean(through).then(() => outgoing.writeHead(204).end(), failed)
    } else void forward(incoming, outgoing).catch(failed)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const through: PassThrough = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    made,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      agent.destroy()
    }
  }
  return through
}
