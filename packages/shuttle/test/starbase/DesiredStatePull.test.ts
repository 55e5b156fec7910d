import { existsSync } from "node:fs"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { DesiredState } from "@starform/domain/desired/DesiredState"
import * as CredentialFile from "@starform/shuttle/credential/CredentialFile"
import * as Tenure from "@starform/shuttle/leadership/Tenure"
import * as AgentToken from "@starform/shuttle/starbase/AgentToken"
import * as DesiredStateHolder from "@starform/shuttle/starbase/DesiredStateHolder"
import * as DesiredStatePull from "@starform/shuttle/starbase/DesiredStatePull"
import * as StarbaseClient from "@starform/shuttle/starbase/StarbaseClient"
import * as LastGoodState from "@starform/shuttle/storage/LastGoodState"
import * as StateKey from "@starform/shuttle/storage/StateKey"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import { Duration, Effect, FileSystem, Layer, Schema } from "effect"
import type { Scope } from "effect"
import { clusterId, deltaBetween, desiredApp, fullState, revision } from "../fixtures/DesiredApps.ts"
import { eventually } from "../fixtures/eventually.ts"
import { type Answer, json, scriptedServer, silence, status } from "../fixtures/ScriptedServer.ts"

const encode = Schema.encodeSync(DesiredState)
const first = fullState({ n: 1, apps: [desiredApp()] })
const second = fullState({ n: 2, apps: [desiredApp({ deploy: 2 })] })

/** How long past its wait an answer may take where Starbase is silent and the test waits that out. */
const shortMargin = Duration.millis(300)

/** Outlasts a machine that is busy with other tests: each answer is given once. */
const longMargin = Duration.seconds(20)

/** A loop against a scripted Starbase, and what it holds. */
const running = (answers: ReadonlyArray<Answer>, directory?: string, pullMargin = longMargin) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = directory ?? (yield* fs.makeTempDirectoryScoped({ prefix: "shuttle-pull-" }))
    yield* fs.writeFileString(`${folder}/token`, "token")
    const server = yield* scriptedServer(answers)
    const holding = DesiredStateHolder.layer.pipe(
      Layer.provide(LastGoodState.layer),
      Layer.provide(StateKey.layer)
    )
    const context = yield* Layer.build(
      DesiredStatePull.layer.pipe(
        Layer.provide(Tenure.layerAlone),
        Layer.provide(StarbaseClient.layer),
        Layer.provideMerge(holding),
        Layer.provide([
          AgentToken.layer.pipe(Layer.provide([CredentialFile.layer, NodeHttpClient.layerUndici])),
          NodeHttpClient.layerUndici
        ]),
        Layer.provide(
          ShuttleConfig.layerTest({
            starbaseUrl: server.url,
            clusterId,
            tokenFile: `${folder}/token`,
            dataDirectory: folder,
            stateKeyFile: `${folder}/state.key`,
            pullWait: Duration.seconds(1),
            pullMargin,
            starbaseRetryFirst: Duration.millis(5),
            starbaseRetryMax: Duration.millis(20)
          })
        )
      )
    )
    const holder = yield* Effect.provideContext(DesiredStateHolder.DesiredStateHolder, context)
    let held: string | null = null
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.andThen(
          Effect.map(holder.current, (document) => {
            held = document?.revision ?? null
          }),
          Effect.sleep(2)
        )
      )
    )
    const holds = (wanted: string) =>
      eventually(
        () => held === wanted,
        () => ({ held, received: server.received.map(({ headers, url }) => [url, headers["if-none-match"]]) })
      )
    return { folder, server, holds }
  })

const live = <A, E>(
  effect: Effect.Effect<A, E, Scope.Scope | FileSystem.FileSystem | NodeServices.NodeServices>
) => Effect.scoped(effect).pipe(Effect.provide(NodeServices.layer))

describe("DesiredStatePull", () => {
  it.live("wants its first answer at once, whatever is held, and waits from then on", () =>
    live(
      Effect.gen(function* () {
        const before = yield* running([json(200, encode(first)), silence])
        yield* before.holds(first.revision)
        const stored = `${before.folder}/desired-state.sealed`
        yield* eventually(
          () => existsSync(stored),
          () => "not stored"
        )
        const { holds, server } = yield* running([status(304), silence], before.folder)
        yield* holds(first.revision)
        yield* eventually(
          () => server.received.length >= 2,
          () => server.received.length
        )
        assert.deepStrictEqual(
          server.received.slice(0, 2).map(({ headers }) => headers["prefer"]),
          ["wait=0", "wait=1"]
        )
      })
    )
  )

  it.live("takes the whole, then each delta as soon as Starbase answers", () =>
    live(
      Effect.gen(function* () {
        const later: Answer = (request, response) => {
          setTimeout(() => json(200, encode(deltaBetween(first, second)))(request, response), 40)
        }
        const { holds, server } = yield* running(
          [json(200, encode(first)), later, silence],
          undefined,
          longMargin
        )
        yield* holds(revision(2))
        yield* eventually(
          () => server.received.length >= 3,
          () => server.received.length
        )
        assert.deepStrictEqual(
          server.received.slice(0, 3).map(({ headers }) => headers["if-none-match"]),
          [undefined, `"00000001-1"`, `"00000001-2"`]
        )
      })
    )
  )

  it.live("goes on after refused, cut and dead connections", () =>
    live(
      Effect.gen(function* () {
        const cut: Answer = (_, response) => response.socket?.destroy()
        const { holds } = yield* running(
          [status(503), cut, json(200, encode(first)), silence, json(200, encode(second)), silence],
          undefined,
          shortMargin
        )
        yield* holds(revision(1))
        yield* holds(revision(2))
      })
    )
  )

  it.live(
    "asks for the whole after a delta that does not give the named hash, and keeps what it has until then",
    () =>
      live(
        Effect.gen(function* () {
          const wrong = { ...deltaBetween(first, second), hash: first.hash }
          const { holds, server } = yield* running([
            json(200, encode(first)),
            json(200, encode(wrong)),
            json(200, encode(second)),
            silence
          ])
          yield* holds(revision(2))
          assert.strictEqual(server.received[2]!.headers["accept-delta"], "no")
          assert.isUndefined(server.received[2]!.headers["if-none-match"])
        })
      )
  )

  it.live("keeps the held document when a malformed or newer one arrives", () =>
    live(
      Effect.gen(function* () {
        const { holds, server } = yield* running([
          json(200, encode(first)),
          json(200, { nonsense: true }),
          json(200, { ...encode(second), format: 99 }),
          silence
        ])
        yield* eventually(
          () => server.received.length >= 4,
          () => server.received.length
        )
        yield* holds(revision(1))
      })
    )
  )

  it.live("pauses when nothing on the way holds requests", () =>
    live(
      Effect.gen(function* () {
        const { holds, server } = yield* running([json(200, encode(first)), status(304)])
        yield* holds(revision(1))
        yield* eventually(
          () => server.received.length >= 4,
          () => server.received.length
        )
        yield* Effect.sleep(100)
        assert.strictEqual(server.received.length, 4)
      })
    )
  )

  it.live("holds the stored document after a restart without Starbase", () =>
    live(
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const folder = yield* fs.makeTempDirectoryScoped({ prefix: "shuttle-restart-" })
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { holds } = yield* running([json(200, encode(first)), silence], folder)
            yield* holds(revision(1))
            let isStored = false
            yield* Effect.forkScoped(
              Effect.forever(
                Effect.andThen(
                  Effect.map(fs.exists(`${folder}/desired-state.sealed`), (exists) => {
                    isStored = exists
                  }),
                  Effect.sleep(2)
                )
              )
            )
            yield* eventually(
              () => isStored,
              () => isStored
            )
          })
        )
        const { holds, server } = yield* running([status(503)], folder)
        yield* holds(revision(1))
        yield* eventually(
          () => server.received.length >= 1,
          () => server.received.length
        )
        assert.strictEqual(server.received[0]!.headers["if-none-match"], `"00000001-1"`)
      })
    )
  )
})
