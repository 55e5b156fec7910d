import * as Effect from "effect/Effect"
import * as http from "node:http"
import * as https from "node:https"
import * as net from "node:net"

export interface HttpProbeRequest {
  readonly secure: boolean
  readonly host: string
  readonly port: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

/** Status of the answer, or why there is none. Redirects are not followed; certificates are not checked. */
export type HttpProbeAnswer =
  | { readonly _tag: "Answered"; readonly status: number }
  | { readonly _tag: "Unanswered"; readonly problem: string }

export const httpAnswer = (target: HttpProbeRequest): Effect.Effect<HttpProbeAnswer> =>
  Effect.callback((resume) => {
    const options = {
      host: target.host,
      port: target.port,
      path: target.path,
      headers: { "User-Agent": "kube-probe/1.36", Accept: "*/*", Connection: "close", ...target.headers },
      agent: false as const
    }
    const request = target.secure ? https.get({ ...options, rejectUnauthorized: false }) : http.get(options)
    request.once("response", (response) => {
      response.resume()
      response.once("error", () => undefined)
      resume(Effect.succeed({ _tag: "Answered", status: response.statusCode ?? 0 }))
    })
    request.once("error", (error) => resume(Effect.succeed({ _tag: "Unanswered", problem: error.message })))
    return Effect.sync(() => request.destroy())
  })

/** `undefined` when the connection was made, else why not. */
export const connectProblem = (host: string, port: number): Effect.Effect<string | undefined> =>
  Effect.callback((resume) => {
    const socket = net.connect({ host, port })
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.as(Effect.void, undefined))
    })
    socket.once("error", (error) => {
      socket.destroy()
      resume(Effect.succeed(error.message))
    })
    return Effect.sync(() => socket.destroy())
  })
