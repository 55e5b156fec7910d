/** A CGI program (RFC 3875) as an HTTP response: the request's body in, its head and body out, both streamed. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import * as NodeSink from "@effect/platform-node/NodeSink"
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/** The program ended before it had answered, or could not be run. */
export class CgiFailed extends Schema.TaggedError<CgiFailed>()("CgiFailed", { problem: Schema.String }) {
  override get message() {
    return `CGI program: ${this.problem}`
  }
}

interface Head {
  readonly status: number
  readonly headers: Record<string, string>
}

const headBytesMax = 64 * 1024

const parse = (text: string): Head => {
  const headers: Record<string, string> = {}
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(":")
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  const { status, ...rest } = headers
  return { status: Number.parseInt(status ?? "200", 10), headers: rest }
}

/** Reads up to the empty line and gives back what follows it. */
const readHead = (child: ChildProcessWithoutNullStreams): Effect.Effect<Head, CgiFailed> =>
  Effect.callback((resume) => {
    let seen = Buffer.alloc(0)
    const fail = (problem: string) => resume(Effect.fail(new CgiFailed({ problem })))
    const onData = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk])
      const end = /\r?\n\r?\n/.exec(seen.toString("latin1"))
      if (end === null) {
        if (seen.length > headBytesMax) fail("its head does not end")
        return
      }
      child.stdout.pause()
      child.stdout.removeListener("data", onData)
      const rest = seen.subarray(end.index + end[0].length)
      if (rest.length > 0) child.stdout.unshift(rest)
      resume(Effect.succeed(parse(seen.subarray(0, end.index).toString("latin1"))))
    }
    child.stdout.on("data", onData)
    child.once("error", (error) => fail(error.message))
    child.once("close", (code) => fail(`ended with status ${code} and no answer`))
  })

/**
 * The program ends with the scope.
 *
 * @errors CgiFailed before its head came; a failure after that ends the body short
 */
export const respond = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  command: string,
  args: ReadonlyArray<string>,
  env: Record<string, string>
) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(command, args, { env, stdio: ["pipe", "pipe", "pipe"] })),
    (running) => Effect.sync(() => void running.kill("SIGTERM"))
  )
  child.stderr.resume()
  child.stdin.on("error", () => undefined)
  const body = request.method === "GET" ? Stream.empty : request.stream
  yield* body.pipe(
    Stream.run(
      NodeSink.fromWritable({
        evaluate: () => child.stdin,
        onError: (cause) => new CgiFailed({ problem: String(cause) })
      })
    ),
    Effect.ignore,
    Effect.forkScoped
  )
  const { status, headers } = yield* readHead(child)
  const output = NodeStream.fromReadable({
    evaluate: () => child.stdout,
    onError: (cause) => new CgiFailed({ problem: String(cause) })
  })
  return HttpServerResponse.stream(output, {
    status,
    headers,
    contentType: headers["content-type"] ?? "application/octet-stream"
  })
})
