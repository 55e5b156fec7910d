import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as CredentialFile from "@starform/shuttle/credential/CredentialFile"
import * as Tenure from "@starform/shuttle/leadership/Tenure"
import * as AgentToken from "@starform/shuttle/starbase/AgentToken"
import * as CredentialRotation from "@starform/shuttle/starbase/CredentialRotation"
import * as StarbaseClient from "@starform/shuttle/starbase/StarbaseClient"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import { Context, Duration, Effect, FileSystem, Layer, Redacted, type Scope } from "effect"
import { createHash } from "node:crypto"
import { clusterId } from "../fixtures/DesiredApps.ts"
import { eventually } from "../fixtures/eventually.ts"
import { type Answer, scriptedServer } from "../fixtures/ScriptedServer.ts"

const live = <A, E>(effect: Effect.Effect<A, E, Scope.Scope | FileSystem.FileSystem>) =>
  Effect.scoped(effect).pipe(Effect.provide(NodeServices.layer))

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")
const joinToken = (letter: string) => `sfj_${clusterId}_${letter.repeat(43)}`

/** As much of Starbase as decides about credentials: the rules of its Cluster entity. */
const world = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "shuttle-credential-" })
  const starbase = {
    current: null as string | null,
    offered: null as string | null,
    token: joinToken("a") as string | null,
    usedBy: null as string | null,
    isAsking: false,
    /** Does what is asked, and cuts the connection instead of answering. */
    isMute: false,
    refused: 0
  }
  const answer: Answer = ({ body, headers, url }, response) => {
    const by = (headers.authorization ?? "").replace("Bearer ", "")
    const named = url.endsWith("/join") || url.endsWith("/credential")
    const hash = named ? (JSON.parse(body) as { readonly credential_hash: string }).credential_hash : ""
    const say = (status: number) => {
      if (status === 401) starbase.refused += 1
      if (starbase.isMute) return void response.socket?.destroy()
      const asked = starbase.isAsking ? { "starform-rotate-credential": "asked" } : {}
      response.writeHead(status, asked).end()
    }
    if (url.endsWith("/join")) {
      if (by !== starbase.token || (starbase.usedBy !== null && starbase.usedBy !== hash)) return say(401)
      starbase.usedBy = hash
      starbase.current = hash
      starbase.offered = null
      return say(204)
    }
    const isOffered = starbase.offered === sha256(by)
    if (starbase.current !== sha256(by) && !isOffered) return say(401)
    if (isOffered) {
      starbase.current = starbase.offered
      starbase.offered = null
      starbase.isAsking = false
    }
    if (named && hash !== starbase.current) starbase.offered = hash
    return say(named ? 204 : 304)
  }
  const server = yield* scriptedServer([answer])
  const tokenFile = `${folder}/token`
  yield* fs.writeFileString(tokenFile, `${joinToken("a")}\n`)
  const kept = `${folder}/data/agent-credential`

  /** An agent of its own on the same disk: beside the one before, or after it where that has ended. */
  const agent = (overrides: Partial<ShuttleConfig.Settings> = {}) =>
    Layer.build(
      CredentialRotation.layer.pipe(
        Layer.provide(Tenure.layerAlone),
        Layer.provideMerge(StarbaseClient.layer),
        Layer.provideMerge(AgentToken.layer),
        Layer.provide([CredentialFile.layer, NodeHttpClient.layerUndici]),
        Layer.provide(
          ShuttleConfig.layerTest({
            starbaseUrl: server.url,
            clusterId,
            tokenFile,
            dataDirectory: `${folder}/data`,
            starbaseRetryFirst: Duration.millis(5),
            starbaseRetryMax: Duration.millis(20),
            ...overrides
          })
        ),
        Layer.provide(NodeServices.layer)
      )
    ).pipe(
      Effect.map((context) => ({
        client: Context.get(context, StarbaseClient.StarbaseClient),
        token: Context.get(context, AgentToken.AgentToken),
        rotation: Context.get(context, CredentialRotation.CredentialRotation)
      }))
    )
  return { fs, folder, tokenFile, kept, server, starbase, agent }
})

const pull = ({ client }: { readonly client: StarbaseClient.StarbaseClient["Service"] }) =>
  client.pull({ known: null, acceptDelta: true, wait: Duration.zero })

describe("joining", () => {
  it.live("INV-CRE-1 makes a credential, keeps it for its owner alone, and names its hash only", () =>
    live(
      Effect.gen(function* () {
        const { agent, fs, kept, server, starbase } = yield* world
        yield* pull(yield* agent())
        const [join, used] = server.received
        assert.strictEqual(join!.url, `/api/v1/clusters/${clusterId}/join`)
        assert.strictEqual(join!.headers.authorization, `Bearer ${joinToken("a")}`)
        assert.strictEqual(join!.headers["starform-agent-version"], "0.1.0")
        const credential = used!.headers.authorization!.replace("Bearer ", "")
        assert.match(credential, new RegExp(`^sfc_${clusterId}_[A-Za-z0-9_-]{43}$`))
        assert.deepStrictEqual(JSON.parse(join!.body), { credential_hash: sha256(credential) })
        assert.strictEqual(starbase.current, sha256(credential))
        assert.strictEqual((yield* fs.stat(kept)).mode & 0o777, 0o600)
        yield* pull(yield* agent())
        assert.strictEqual(server.received.at(-1)!.headers.authorization, `Bearer ${credential}`)
        assert.lengthOf(
          server.received.filter(({ url }) => url.endsWith("/join")),
          1
        )
      })
    )
  )

  it.live("INV-CRE-2 asks again with the same hash when the answer was lost, also after a restart", () =>
    live(
      Effect.gen(function* () {
        const { agent, server, starbase } = yield* world
        starbase.isMute = true
        const lost = yield* Effect.scoped(Effect.flatMap(agent(), (before) => Effect.flip(pull(before))))
        assert.strictEqual(lost._tag, "StarbaseUnreachable")
        assert.isNotNull(starbase.usedBy)
        starbase.isMute = false
        yield* pull(yield* agent())
        const bodies = new Set(
          server.received.filter(({ url }) => url.endsWith("/join")).map(({ body }) => body)
        )
        assert.strictEqual(bodies.size, 1)
        assert.strictEqual(starbase.refused, 0)
      })
    )
  )

  it.live(
    "says that the join token is refused, joins with another one in the file, and keeps what it had until then",
    () =>
      live(
        Effect.gen(function* () {
          const { agent, fs, starbase, tokenFile } = yield* world
          const running = yield* agent()
          yield* pull(running)
          Object.assign(starbase, { current: null, token: null, usedBy: null })
          assert.strictEqual((yield* Effect.flip(pull(running)))._tag, "TokenRefused")
          yield* fs.writeFileString(tokenFile, joinToken("b"))
          assert.strictEqual((yield* Effect.flip(pull(running)))._tag, "JoinTokenRefused")
          starbase.token = joinToken("b")
          yield* pull(running)
          yield* fs.remove(tokenFile)
          yield* pull(yield* agent())
        })
      )
  )

  it.live("does not touch a kept file that it cannot read, and says which", () =>
    live(
      Effect.gen(function* () {
        const { agent, fs, folder, kept, server } = yield* world
        yield* fs.makeDirectory(`${folder}/data`)
        yield* fs.writeFileString(kept, "something else")
        const error = yield* Effect.flip(pull(yield* agent()))
        assert.strictEqual(error._tag, "CredentialNotKept")
        assert.include(error.message, kept)
        assert.strictEqual(yield* fs.readFileString(kept), "something else")
        assert.lengthOf(server.received, 0)
      })
    )
  )

  it.live("uses a credential that its file holds, keeps none and rotates none", () =>
    live(
      Effect.gen(function* () {
        const { agent, fs, kept, starbase, tokenFile } = yield* world
        const given = `sfc_${clusterId}_${"g".repeat(43)}`
        yield* fs.writeFileString(tokenFile, given)
        starbase.current = sha256(given)
        starbase.isAsking = true
        const running = yield* agent({ credentialRotation: Duration.millis(1) })
        yield* pull(running)
        yield* pull(running)
        assert.isNull(yield* running.token.ownSinceMs)
        assert.isFalse(yield* fs.exists(kept))
        assert.strictEqual(starbase.current, sha256(given))
      })
    )
  )
})

describe("rotating", () => {
  const joined = Effect.gen(function* () {
    const all = yield* world
    yield* pull(yield* all.agent())
    return { ...all, first: all.starbase.current }
  })

  it.live("INV-CRE-3 offers the next one when it is due, uses it, and is refused never", () =>
    live(
      Effect.gen(function* () {
        const { agent, first, starbase } = yield* joined
        const running = yield* agent({ credentialRotation: Duration.millis(50) })
        yield* Effect.forkScoped(Effect.forever(Effect.andThen(pull(running), Effect.sleep(2))))
        yield* eventually(
          () => starbase.current !== first,
          () => starbase
        )
        assert.strictEqual(starbase.refused, 0)
      })
    )
  )

  it.live("rotates once when an operator asks, whenever that is heard", () =>
    live(
      Effect.gen(function* () {
        const { agent, first, starbase } = yield* joined
        const running = yield* agent()
        starbase.isAsking = true
        yield* pull(running)
        yield* eventually(
          () => starbase.current !== first,
          () => starbase
        )
        assert.isNull(starbase.offered)
        while ((yield* running.rotation.rotated) === 0) yield* Effect.sleep(5)
        yield* pull(running)
        assert.isFalse(running.client.rotationAsked.isOpen())
        assert.strictEqual(yield* running.rotation.rotated, 1)
        assert.strictEqual(starbase.refused, 0)
      })
    )
  )

  it.live("INV-CRE-2 goes on with either where the answer to the offer was lost", () =>
    live(
      Effect.gen(function* () {
        const { agent, starbase } = yield* joined
        const running = yield* agent()
        const next = (yield* running.token.next)!
        starbase.isMute = true
        yield* Effect.flip(running.client.offer(next))
        starbase.isMute = false
        const restarted = yield* agent()
        yield* pull(restarted)
        assert.strictEqual(Redacted.value((yield* restarted.token.next)!), Redacted.value(next))
        yield* restarted.client.offer(next)
        yield* restarted.token.take(next)
        yield* pull(restarted)
        assert.strictEqual(starbase.current, sha256(Redacted.value(next)))
        assert.strictEqual(starbase.refused, 0)
      })
    )
  )

  it.live("INV-CRE-4 falls back to the one before when the new one was not used in its time", () =>
    live(
      Effect.gen(function* () {
        const { agent, first, starbase } = yield* joined
        const running = yield* agent()
        const next = (yield* running.token.next)!
        yield* running.client.offer(next)
        yield* running.token.take(next)
        starbase.offered = null
        const restarted = yield* agent()
        yield* pull(restarted)
        assert.strictEqual(starbase.current, first)
        yield* pull(yield* agent())
        assert.strictEqual(starbase.refused, 1)
      })
    )
  )

  it.live("INV-CRE-4 loses no credential to a refusal that was a mistake", () =>
    live(
      Effect.gen(function* () {
        const { agent, starbase } = yield* joined
        const running = yield* agent()
        const next = (yield* running.token.next)!
        yield* running.client.offer(next)
        yield* running.token.take(next)
        yield* pull(running)
        const present = starbase.current
        starbase.current = null
        for (let n = 0; n < 3; n++) {
          assert.strictEqual((yield* Effect.flip(pull(running)))._tag, "TokenRefused")
        }
        starbase.current = present
        yield* pull(running)
        yield* pull(yield* agent())
      })
    )
  )

  it.live("takes over what another replica rotated", () =>
    live(
      Effect.gen(function* () {
        const { agent, starbase } = yield* joined
        const [one, other] = [yield* agent(), yield* agent()]
        yield* pull(one)
        yield* pull(other)
        const next = (yield* one.token.next)!
        yield* one.client.offer(next)
        yield* one.token.take(next)
        yield* pull(one)
        yield* pull(other)
        assert.strictEqual(starbase.refused, 1, "once, and repeated with the new one")
      })
    )
  )
})
