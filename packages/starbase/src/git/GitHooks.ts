/** The local socket that hooks connect to: one line in, lines out, one push per token (INV-GIT-4). */
import { createServer, type Socket } from "node:net"
import { mkdirSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { GitConfig } from "./GitConfig.ts"
import { PushSession, type PushTarget } from "./PushSession.ts"

export class GitHooks extends Context.Service<
  GitHooks,
  {
    /** A token for the hook of one push, good once. */
    readonly issue: (target: PushTarget) => Effect.Effect<string>
    /** Tells every push that waits that this process ends, and waits for none. What was accepted goes on. */
    readonly dismiss: Effect.Effect<void>
  }
>()("@starform/starbase/git/GitHooks") {}

/** The socket cannot be opened. */
export class HookSocketUnusable extends Schema.TaggedError<HookSocketUnusable>()("HookSocketUnusable", {
  path: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `the socket for git's hooks cannot be opened at ${this.path}`
  }
}

const HookRequest = Schema.Struct({
  token: Schema.String,
  commands: Schema.Array(Schema.Struct({ before: Schema.String, after: Schema.String, ref: Schema.String })),
  options: Schema.Array(Schema.String)
})

const decodeRequest = Schema.decodeUnknownEffect(Schema.fromJsonString(HookRequest))

/** Largest request of a hook: a push of very many refs. */
const requestBytesMax = 4 * 1024 * 1024

/** First line that comes in. */
const firstLine = (socket: Socket): Effect.Effect<string> =>
  Effect.callback((resume) => {
    let text = ""
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8")
      const end = text.indexOf("\n")
      if (end !== -1) resume(Effect.succeed(text.slice(0, end)))
      else if (text.length > requestBytesMax) socket.destroy()
    })
    socket.on("close", () => resume(Effect.interrupt))
  })

/** Interrupts when the hook is gone: whoever pushed has left, and nothing more is accepted for them. */
const closed = (socket: Socket): Effect.Effect<never> =>
  Effect.callback((resume) => {
    if (socket.destroyed) resume(Effect.interrupt)
    else socket.once("close", () => resume(Effect.interrupt))
  })

/** What the hook is told: a line for the person, or the end. */
const HookMessage = Schema.Union([
  Schema.Struct({ print: Schema.String }),
  Schema.Struct({
    verdicts: Schema.Array(Schema.Struct({ ref: Schema.String, reason: Schema.NullOr(Schema.String) }))
  })
])

const encodeMessage = Schema.encodeSync(Schema.fromJsonString(HookMessage))

const send = (socket: Socket, message: typeof HookMessage.Type): Effect.Effect<void> =>
  Effect.sync(() => {
    if (!socket.destroyed) socket.write(`${encodeMessage(message)}\n`)
  })

/** What git says of a push that was waiting when the process ended. */
const endedReason = "Starform went away; an accepted push goes on without you"

/** Dismisses the pushes that wait before anything else of the process ends: build it last. */
export const layerDismissal = Layer.effectDiscard(
  Effect.flatMap(GitHooks, ({ dismiss }) => Effect.addFinalizer(() => dismiss))
)

export const layerNoDeps = Layer.effect(
  GitHooks,
  Effect.gen(function* () {
    const { socketPath, tokenLife } = yield* GitConfig
    const session = yield* PushSession
    const random = yield* SecureRandom.SecureRandom
    const issued = new Map<string, { readonly target: PushTarget; readonly untilMs: number }>()
    const sessions = yield* FiberSet.make()
    const fork = yield* FiberSet.runtime(sessions)<never>()

    const serve = Effect.fnUntraced(function* (socket: Socket) {
      const request = yield* Effect.flatMap(firstLine(socket), decodeRequest)
      const known = issued.get(request.token)
      issued.delete(request.token)
      const nowMs = yield* Clock.currentTimeMillis
      if (known === undefined || known.untilMs < nowMs) {
        const verdicts = request.commands.map(({ ref }) => ({
          ref,
          reason: "this push has expired; push again"
        }))
        return yield* send(socket, { verdicts })
      }
      const { commands, options } = request
      const verdicts = yield* session
        .run(known.target, commands, options, (print) => send(socket, { print }))
        .pipe(
          Effect.raceFirst(closed(socket)),
          Effect.onInterrupt(() =>
            send(socket, { verdicts: commands.map(({ ref }) => ({ ref, reason: endedReason })) })
          )
        )
      yield* send(socket, { verdicts })
    })

    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy())
      const handled = serve(socket).pipe(
        Effect.catchCause((cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.logDebug("a push was left")
            : Effect.logWarning("a push ended early", cause)
        ),
        Effect.ensuring(Effect.sync(() => socket.end()))
      )
      fork(handled)
    })

    yield* Effect.acquireRelease(
      Effect.callback<void, HookSocketUnusable>((resume) => {
        server.once("error", (cause) =>
          resume(Effect.fail(new HookSocketUnusable({ path: socketPath, cause })))
        )
        mkdirSync(dirname(socketPath), { recursive: true, mode: 0o700 })
        rmSync(socketPath, { force: true })
        server.listen(socketPath, () => resume(Effect.void))
      }),
      () => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
    )

    return GitHooks.of({
      dismiss: FiberSet.clear(sessions),
      issue: Effect.fnUntraced(function* (target) {
        const nowMs = yield* Clock.currentTimeMillis
        for (const [token, { untilMs }] of issued) if (untilMs < nowMs) issued.delete(token)
        const token = Buffer.from(yield* random.randomBytes(32)).toString("base64url")
        issued.set(token, { target, untilMs: nowMs + Duration.toMillis(tokenLife) })
        return token
      })
    })
  })
)
