import { assert, describe, it } from "@effect/vitest"
import * as KubernetesClient from "@starform/shuttle/kubernetes/KubernetesClient"
import * as KubernetesConnection from "@starform/shuttle/kubernetes/KubernetesConnection"
import { ObjectIndex } from "@starform/shuttle/kubernetes/ObjectIndex"
import * as WatchedResource from "@starform/shuttle/kubernetes/WatchedResource"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import * as Tenure from "@starform/shuttle/leadership/Tenure"
import { Context, Duration, Effect, Layer, Redacted } from "effect"
import { eventually } from "../fixtures/eventually.ts"
import { type Answer, json, scriptedServer, silence, status } from "../fixtures/ScriptedServer.ts"

const wire = (name: string, resourceVersion: number) => ({
  metadata: { name, namespace: "ns", uid: `uid-${name}`, resourceVersion: String(resourceVersion) }
})

const list = (resourceVersion: number, names: ReadonlyArray<string>, next?: string): Answer =>
  json(200, {
    kind: "ConfigMapList",
    metadata: { resourceVersion: String(resourceVersion), ...(next === undefined ? {} : { continue: next }) },
    items: names.map((name) => wire(name, resourceVersion))
  })

/** Lines of a watch, then the end of it: closed, cut, or never. */
const watch =
  (lines: ReadonlyArray<unknown>, end: "close" | "cut" | "open" = "open"): Answer =>
  (_, response) => {
    response.writeHead(200, { "content-type": "application/json" })
    response.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
    if (end === "close") response.end()
    if (end === "cut") setTimeout(() => response.socket?.destroy(), 5)
  }

const changed = (name: string, version: number) => ({ type: "MODIFIED", object: wire(name, version) })
const deleted = (name: string, version: number) => ({ type: "DELETED", object: wire(name, version) })
const bookmark = (version: number) => ({
  type: "BOOKMARK",
  object: { metadata: { resourceVersion: String(version) } }
})
const gone = { type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired", message: "too old" } }

const running = (answers: ReadonlyArray<Answer>, overrides: Partial<ShuttleConfig.Settings> = {}) =>
  Effect.gen(function* () {
    const server = yield* scriptedServer(answers)
    const settings = {
      ...ShuttleConfig.defaults,
      watchLife: Duration.seconds(1),
      watchIdle: Duration.millis(150),
      watchRetryFirst: Duration.millis(2),
      watchRetryMax: Duration.millis(10),
      ...overrides
    }
    const client = yield* Layer.build(
      KubernetesClient.layer.pipe(
        Layer.provide(Tenure.layerAlone),
        Layer.provide([
          ShuttleConfig.layerTest(settings),
          KubernetesConnection.layerToken(server.url, Redacted.make("secret"))
        ])
      )
    ).pipe(Effect.map((context) => Context.get(context, KubernetesClient.KubernetesClient)))
    const index = new ObjectIndex()
    const errors: Array<string> = []
    let contacted = 0
    yield* WatchedResource.run({
      kind: "ConfigMap",
      labelSelector: "a=b",
      client,
      index,
      settings,
      onChange: () => Effect.void,
      onSynced: Effect.void,
      onContact: Effect.sync(() => void (contacted += 1)),
      onError: (error) => Effect.sync(() => void errors.push(error._tag))
    }).pipe(Effect.forkScoped)
    const shown = () =>
      index
        .inNamespace("ns")
        .map(({ name, resourceVersion }) => `${name}@${resourceVersion}`)
        .sort()
    const shows = (...wanted: ReadonlyArray<string>) =>
      eventually(
        () => JSON.stringify(shown()) === JSON.stringify(wanted),
        () => ({ shown: shown(), errors, urls: server.received.map(({ url }) => url) })
      )
    const versionOf = (request: number) =>
      new URL(server.received[request]!.url, server.url).searchParams.get("resourceVersion")
    return { errors, server, shows, versionOf, contacts: () => contacted }
  })

describe("WatchedResource", () => {
  it.live("lists in pages and watches on from the list's version", () =>
    Effect.gen(function* () {
      const { server, shows, versionOf } = yield* running([
        list(5, ["a"], "token-1"),
        list(5, ["b"]),
        watch([changed("c", 6), deleted("a", 7)])
      ])
      yield* shows("b@5", "c@6")
      assert.include(server.received[1]!.url, "continue=token-1")
      assert.include(server.received[0]!.url, "labelSelector=a%3Db")
      assert.strictEqual(server.received[0]!.headers["authorization"], "Bearer secret")
      assert.strictEqual(versionOf(2), "5")
    }).pipe(Effect.scoped)
  )

  it.live(
    "goes on from the last version seen, bookmarks included, after an end and after a cut (INV-KUB-2)",
    () =>
      Effect.gen(function* () {
        const { shows, versionOf } = yield* running([
          list(5, []),
          watch([changed("a", 6), bookmark(9)], "close"),
          watch([changed("b", 12)], "cut"),
          watch([changed("c", 13)])
        ])
        yield* shows("a@6", "b@12", "c@13")
        assert.strictEqual(versionOf(2), "9")
        assert.strictEqual(versionOf(3), "12")
      }).pipe(Effect.scoped)
  )

  it.live("takes a change that the index knows for a bookmark, and does not read it", () =>
    Effect.gen(function* () {
      const known = { metadata: { ...wire("a", 5).metadata, labels: "not to be read" } }
      const { errors, shows, versionOf } = yield* running([
        list(5, ["a"]),
        watch([{ type: "MODIFIED", object: known }], "close"),
        watch([changed("b", 7)])
      ])
      yield* shows("a@5", "b@7")
      assert.deepStrictEqual(errors, [])
      assert.strictEqual(versionOf(2), "5")
    }).pipe(Effect.scoped)
  )

  it.live(
    "is in contact with a server that has nothing to tell, and pauses only after watches that end early",
    () =>
      Effect.gen(function* () {
        const quiet: Answer = (_, response) => {
          response.writeHead(200, { "content-type": "application/json" }).flushHeaders()
          setTimeout(() => response.end(), 40)
        }
        const { contacts, errors, shows } = yield* running(
          [list(5, []), ...Array.from({ length: 8 }, () => quiet), watch([changed("a", 6)])],
          {
            watchLife: Duration.millis(60),
            watchRetryFirst: Duration.seconds(60),
            watchRetryMax: Duration.seconds(60)
          }
        )
        yield* shows("a@6")
        assert.isAtLeast(contacts(), 10)
        assert.deepStrictEqual(errors, [])
      }).pipe(Effect.scoped)
  )

  it.live("lists again when its version is gone, and drops what the list no longer has", () =>
    Effect.gen(function* () {
      const { errors, shows } = yield* running([
        list(5, ["a", "b"]),
        watch([gone], "close"),
        list(20, ["b"]),
        status(410),
        list(30, ["b", "c"]),
        watch([])
      ])
      yield* shows("b@30", "c@30")
      assert.deepStrictEqual(errors, ["VersionExpired", "VersionExpired"])
    }).pipe(Effect.scoped)
  )

  it.live("takes a silent watch for dead and opens it again", () =>
    Effect.gen(function* () {
      const { errors, shows, versionOf } = yield* running([
        list(5, []),
        silence,
        watch([changed("a", 6)]),
        watch([changed("b", 7)])
      ])
      yield* shows("a@6", "b@7")
      assert.strictEqual(versionOf(3), "6")
      assert.include(errors, "KubernetesUnreachable")
    }).pipe(Effect.scoped)
  )

  it.live("goes on after refusals, overload and broken lines", () =>
    Effect.gen(function* () {
      const broken: Answer = (_, response) => response.writeHead(200).end("{nonsense\n")
      const { shows } = yield* running([
        status(503),
        status(429),
        status(401),
        list(5, ["a"]),
        broken,
        watch([changed("b", 6)])
      ])
      yield* shows("a@5", "b@6")
    }).pipe(Effect.scoped)
  )
})
