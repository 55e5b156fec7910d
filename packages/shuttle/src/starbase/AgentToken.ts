/**
 * The agent's credential: the one in its token file, where that holds one; else its own, for which it exchanges the join token in
 * that file. Whatever is refused is looked for again, in the file and in what is kept: others may have replaced either.
 */
import { CredentialHash } from "@starform/domain/protocol/AgentApi"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { type CredentialNotKept, CredentialStore } from "../credential/CredentialStore.ts"
import * as Stored from "../credential/StoredCredential.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { selfHeaders } from "./AgentSelf.ts"
import { JoinTokenRefused, StarbaseRefused, StarbaseUnreachable } from "./StarbaseErrors.ts"

/** The file is missing, unreadable or empty, and there is no credential either. Needs a human, and is tried again. */
export class TokenUnreadable extends Schema.TaggedError<TokenUnreadable>()("TokenUnreadable", {
  file: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return `${this.file}: no token can be read`
  }
}

export type TokenError =
  | TokenUnreadable
  | CredentialNotKept
  | JoinTokenRefused
  | StarbaseRefused
  | StarbaseUnreachable

export class AgentToken extends Context.Service<
  AgentToken,
  {
    /** Found or joined for once, then remembered. */
    readonly current: Effect.Effect<Redacted.Redacted, TokenError>
    /** Looks for another one than the refused; true when there is one. */
    readonly replace: (refused: Redacted.Redacted) => Effect.Effect<boolean, TokenError>
    /** Starbase took this credential. */
    readonly accepted: (credential: Redacted.Redacted) => Effect.Effect<void>
    /** Since when there is a credential of the agent's own; `null` for one that its token file holds. */
    readonly ownSinceMs: Effect.Effect<number | null, TokenError>
    /** The credential to offer next, kept before it is. `null` as above. */
    readonly next: Effect.Effect<Redacted.Redacted | null, TokenError>
    /** Uses the one that Starbase takes from now on. */
    readonly take: (offered: Redacted.Redacted) => Effect.Effect<void, TokenError>
  }
>()("@starform/shuttle/starbase/AgentToken") {}

const encodeHash = Schema.encodeSync(Schema.fromJsonString(CredentialHash))

/** The body that names a credential without holding it. */
export const hashBody = (credential: Redacted.Redacted) =>
  HttpBody.text(encodeHash({ credentialHash: Stored.hashOf(credential) }), "application/json")

const make = Effect.gen(function* () {
  const { clusterId, reportTimeout, starbaseUrl, tokenFile } = yield* ShuttleConfig
  const fs = yield* FileSystem.FileSystem
  const store = yield* CredentialStore
  const client = yield* HttpClient.HttpClient
  const turn = yield* Semaphore.make(1)
  let known: { readonly credential: Redacted.Redacted; readonly isOwn: boolean } | undefined
  /** Whether one is kept besides the present one until Starbase takes it. */
  let isUnproved = false

  const remember = (credential: Redacted.Redacted, isOwn: boolean) => {
    known = { credential, isOwn }
    return credential
  }

  const fileText = fs.readFileString(tokenFile).pipe(
    Effect.mapError((cause) => new TokenUnreadable({ file: tokenFile, cause })),
    Effect.filterOrFail(
      (text) => text.trim() !== "",
      () => new TokenUnreadable({ file: tokenFile })
    ),
    Effect.map((text) => Redacted.make(text.trim()))
  )

  const exchange = Effect.fnUntraced(function* (token: Redacted.Redacted, credential: Redacted.Redacted) {
    const request = HttpClientRequest.post(`${starbaseUrl}/api/v1/clusters/${clusterId}/join`, {
      acceptJson: true,
      headers: selfHeaders,
      body: hashBody(credential)
    })
    const unreachable = (cause?: unknown) =>
      new StarbaseUnreachable({ request: "join", status: null, ...(cause === undefined ? {} : { cause }) })
    const status = yield* client.execute(HttpClientRequest.bearerToken(request, token)).pipe(
      Effect.flatMap((response) => Effect.as(response.text, response.status)),
      Effect.mapError(unreachable),
      Effect.timeoutOrElse({ duration: reportTimeout, orElse: () => Effect.fail(unreachable()) })
    )
    if (status === 401) return yield* new JoinTokenRefused({})
    if (status === 429 || status >= 500) return yield* new StarbaseUnreachable({ request: "join", status })
    if (status >= 400) return yield* new StarbaseRefused({ request: "join", status })
  })

  const join = Effect.fnUntraced(function* (token: Redacted.Redacted) {
    const tokenHash = Stored.hashOf(token)
    const begun = yield* store.update(Stored.startJoin(tokenHash, Stored.fresh(clusterId)))
    if (begun.joining?.tokenHash === tokenHash) yield* exchange(token, begun.joining.credential)
    const joined = yield* store.update(Stored.finishJoin(tokenHash, yield* Clock.currentTimeMillis))
    if (joined.current === null) return yield* new JoinTokenRefused({})
    yield* Effect.logInfo("Joined Starbase with a credential of its own")
    return remember(joined.current, true)
  })

  const find = Effect.gen(function* () {
    const given = yield* Effect.result(fileText)
    if (given._tag === "Success" && !Stored.isJoinToken(given.success)) return remember(given.success, false)
    const stored = yield* store.load
    if (stored.current !== null) {
      isUnproved = stored.previous !== null
      return remember(stored.current, true)
    }
    return yield* given._tag === "Success" ? join(given.success) : Effect.fail(given.failure)
  })

  const current = Effect.suspend(() => (known === undefined ? find : Effect.succeed(known.credential)))

  const replace = Effect.fnUntraced(function* (refused: Redacted.Redacted) {
    if (known !== undefined && !Stored.isSame(known.credential, refused)) return true
    const given = yield* Effect.result(fileText)
    if (given._tag === "Success" && !Stored.isJoinToken(given.success)) {
      return !Stored.isSame(remember(given.success, false), refused)
    }
    const stored = yield* store.load
    if (stored.current !== null && !Stored.isSame(stored.current, refused)) {
      remember(stored.current, true)
      return true
    }
    if (given._tag === "Success" && Stored.hashOf(given.success) !== stored.joinedBy) {
      yield* join(given.success)
      return true
    }
    const before = yield* store.update(Stored.fallBack(refused))
    if (before.current === null || Stored.isSame(before.current, refused)) {
      // A file that is gone says what to do where there is nothing else.
      return stored.current === null && given._tag === "Failure" ? yield* given.failure : false
    }
    isUnproved = true
    remember(before.current, true)
    return true
  })

  const own = Effect.andThen(
    current,
    Effect.sync(() => known?.isOwn === true)
  )

  return AgentToken.of({
    current: Semaphore.withPermit(turn)(current),
    replace: (refused) => Semaphore.withPermit(turn)(replace(refused)),
    accepted: (credential) =>
      Effect.suspend(() => {
        if (!isUnproved) return Effect.void
        isUnproved = false
        return store
          .update(Stored.taken(credential))
          .pipe(
            Effect.catch((error) =>
              Effect.logWarning("The credential before this one is still kept", { problem: error.message })
            )
          )
      }),
    ownSinceMs: Effect.flatMap(Semaphore.withPermit(turn)(own), (isOwn) =>
      isOwn ? Effect.map(store.load, ({ sinceMs }) => sinceMs) : Effect.succeed(null)
    ),
    next: Effect.flatMap(Semaphore.withPermit(turn)(own), (isOwn) =>
      isOwn
        ? Effect.map(store.update(Stored.startRotation(Stored.fresh(clusterId))), ({ next }) => next)
        : Effect.succeed(null)
    ),
    take: (offered) =>
      Semaphore.withPermit(turn)(
        Effect.gen(function* () {
          const stored = yield* store.update(Stored.finishRotation(offered, yield* Clock.currentTimeMillis))
          if (stored.current !== null) remember(stored.current, true)
          isUnproved = stored.previous !== null
        })
      )
  })
})

export const layer: Layer.Layer<
  AgentToken,
  never,
  ShuttleConfig | CredentialStore | HttpClient.HttpClient | FileSystem.FileSystem
> = Layer.effect(AgentToken)(make)
