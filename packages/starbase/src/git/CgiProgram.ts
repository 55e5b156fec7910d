/** A CGI program (RFC 3875) as an HTTP response: the request's body in, its head and body out, both streamed. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import type { Writable } from "node:stream"
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
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

/** Answers when the program has taken the chunk, or will take no more. */
const write = (stdin: Writable, chunk: Uint8Array): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (stdin.writable) stdin.write(chunk, () => resume(Effect.void))
    else resume(Effect.void)
  })

/** A program and all that it starts: a process group of its own, ended with the scope. */
const start = (command: string, args: ReadonlyArray<string>, env: Record<string, string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(command, args, { env, stdio: ["pipe", "pipe", "pipe"], detached: true })
      const running = { child, isOver: false }
      child.once("close", () => (running.isOver = true))
      child.stdin.on("error", () => undefined)
      child.stderr.resume()
      return running
    }),
    ({ child, isOver }) =>
      Effect.sync(() => {
        if (!isOver && child.pid !== undefined) endGroup(child.pid)
      })
  )

const endGroup = (pid: number): void => {
  try {
    process.kill(-pid, "SIGTERM")
  } catch {
    // Its last member ended a moment ago.
  }
}

/**
 * The whole body is read, whatever the program takes of it, and the answer ends after it: a client that is still
 * sending hears nothing.
 *
 * @param edit what becomes of the answer's body
 * @errors CgiFailed before its head came; a failure after that ends the body short
 */
export const respond = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  command: string,
  args: ReadonlyArray<string>,
  env: Record<string, string>,
  edit: (body: Stream.Stream<Uint8Array, CgiFailed>) => Stream.Stream<Uint8Array, CgiFailed>
) {
  const { child } = yield* start(command, args, env)
  const body = request.method === "GET" ? Stream.empty : request.stream
  const feeding = yield* body.pipe(
    Stream.runForEach((chunk) => write(child.stdin, chunk)),
    Effect.ignore,
    Effect.ensuring(Effect.sync(() => child.stdin.end())),
    Effect.forkScoped
  )
  const { status, headers } = yield* readHead(child)
  const output = NodeStream.fromReadable<Uint8Array, CgiFailed>({
    evaluate: () => child.stdout,
    onError: (cause) => new CgiFailed({ problem: String(cause) })
  })
  const whole = Stream.concat(edit(output), Stream.drain(Stream.fromEffect(Fiber.await(feeding))))
  return HttpServerResponse.stream(whole, {
    status,
    headers,
    contentType: headers["content-type"] ?? "application/octet-stream"
  })
})
