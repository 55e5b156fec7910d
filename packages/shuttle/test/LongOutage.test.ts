/**
 * A day without Starbase, for a whole agent that was started without it. Time, Starbase and the cluster's API are simulated;
 * the loops, their pauses, the encrypted files and the disk are the agent's own.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as KubernetesConnection from "@starform/shuttle/kubernetes/KubernetesConnection"
import { fromWire } from "@starform/shuttle/kubernetes/ObservedObject"
import { appLabels, processLabel } from "@starform/shuttle/manifests/ShuttleLabels"
import * as Shuttle from "@starform/shuttle/Shuttle"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import { Duration, Effect, Exit, FileSystem, Layer, Logger, Metric, Redacted, Scope } from "effect"
import { TestClock } from "effect/testing"
import { snapshotsDropped } from "@starform/shuttle/health/ShuttleMetrics"
import { clusterId, desiredApp, fullState, tombstoneOf } from "./fixtures/DesiredApps.ts"
import { countedFileSystem } from "./fixtures/CountedFileSystem.ts"
import { MemoryCluster } from "./fixtures/MemoryCluster.ts"
import { MemoryStarbase } from "./fixtures/MemoryStarbase.ts"

const app = desiredApp()
const gone = desiredApp({ service: 2 })
const start = Date.parse("2026-03-04T05:06:07Z")
const podCount = 20

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

const fibers = Metric.gauge("child_fibers_active", {
  description: "The current count of active child fibers"
})

/** As the cluster's controllers would make them from the app's Deployment. */
const makePods = ({ plain }: MemoryCluster): void => {
  const deployment = [...plain.objects.values()].find(({ kind }) => kind === "Deployment")
  if (deployment === undefined) throw new Error("no Deployment")
  const labels = { ...appLabels(app, clusterId), [processLabel]: "web" }
  const made = (kind: "ReplicaSet" | "Pod", name: string, by: string, wire: object) => {
    const metadata = { namespace: app.namespace, name, uid: name, resourceVersion: "1", labels }
    const { resourceVersion: _, ...object } = fromWire(kind, { metadata, ...wire })
    return plain.put(object, { ...object, controllerUid: by })
  }
  const { uid } = made("ReplicaSet", "r1", deployment.uid, {})
  const requests = { cpu: "250m", memory: "512Mi" }
  const running = {
    spec: { nodeName: "n", containers: [{ image: "i", resources: { requests } }] },
    status: { phase: "Running" }
  }
  for (let pod = 0; pod < podCount; pod++) made("Pod", `p${pod}`, uid, running)
}

/** An agent on a folder, until the returned effect is run. */
const agent = (
  folder: string,
  starbase: MemoryStarbase,
  cluster: MemoryCluster,
  logged: Map<string, number>,
  overrides: Partial<ShuttleConfig.Settings>
) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const { fileSystem, settled } = yield* countedFileSystem
    const logger = Logger.make(({ logLevel, message }) => {
      const text = `${logLevel} ${String(Array.isArray(message) ? message[0] : message)}`
      logged.set(text, (logged.get(text) ?? 0) + 1)
    })
    yield* Layer.buildWithScope(
      Shuttle.layerLoops.pipe(
        Layer.provide([
          cluster.layer,
          starbase.layer,
          KubernetesConnection.layerToken("http://127.0.0.1:9", Redacted.make("unused")),
          Layer.succeed(FileSystem.FileSystem)(fileSystem),
          Logger.layer([logger]),
          ShuttleConfig.layerTest({
            clusterId,
            tokenFile: `${folder}/token`,
            dataDirectory: folder,
            stateKeyFile: `${folder}/state.key`,
            ...overrides
          })
        ])
      ),
      scope
    )
    /** In steps, so that the disk and the streams of bodies, which know no simulated time, keep up with it. */
    const pass = (duration: Duration.Input) =>
      Effect.gen(function* () {
        /** Shorter than any deadline; nothing answers while Starbase is away, so that none can be missed. */
        const step = Duration.seconds(starbase.isAway ? 20 : 5)
        for (let done = 0; done < Duration.toMillis(duration); done += Duration.toMillis(step)) {
          yield* TestClock.adjust(step)
          yield* settled
        }
      })
    const until = (goal: Effect.Effect<boolean, unknown>) =>
      Effect.gen(function* () {
        for (let step = 0; !(yield* goal); step++) {
          if (step > 120) return yield* Effect.die(new Error("not within ten minutes"))
          yield* pass("5 seconds")
        }
      })
    return { pass, until, stop: Scope.close(scope, Exit.void) }
  })

/** What the agent takes up now. */
const footprint = Effect.gen(function* () {
  collectGarbage()
  return { heap: process.memoryUsage().heapUsed, fibers: (yield* Metric.value(fibers)).value }
})

const dropped = Effect.map(Metric.value(snapshotsDropped), ({ count }) => Number(count) / podCount)

const outage = (hours: number, overrides: Partial<ShuttleConfig.Settings>) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "shuttle-outage-" })
    yield* fs.writeFileString(`${folder}/token`, "token")
    const [starbase, cluster, logged] = [new MemoryStarbase(), new MemoryCluster(), new Map<string, number>()]
    const onDisk = Effect.gen(function* () {
      const names = (yield* fs.readDirectory(`${folder}/snapshots`)).filter((name) =>
        name.endsWith(".sealed")
      )
      /** Each is named by when it was swept. */
      const minutes = new Set(names.map((name) => Math.floor(Number.parseInt(name, 10) / 60_000) * 60_000))
      const sizes = yield* Effect.forEach(names, (name) => fs.stat(`${folder}/snapshots/${name}`))
      return { sweeps: names.length, minutes, bytes: sizes.reduce((sum, { size }) => sum + Number(size), 0) }
    })

    /** It knows Starbase, and holds a document whose tombstone waits for a confirmation. */
    const first = yield* agent(folder, starbase, cluster, logged, overrides)
    const isReported = Effect.sync(() => starbase.reported === starbase.document?.revision)
    starbase.document = fullState({ n: 1, apps: [app, gone] })
    yield* first.until(isReported)
    const held = {
      epoch: "00000002",
      apps: [app],
      tombstones: [tombstoneOf(gone)],
      epochConfirmed: false
    }
    starbase.document = fullState({ ...held, n: 2 })
    yield* first.until(isReported)
    yield* first.pass("1 minute")
    yield* first.stop
    const before = cluster.plain.keys()
    makePods(cluster)

    starbase.isAway = true
    const droppedBefore = yield* dropped
    const second = yield* agent(folder, starbase, cluster, logged, overrides)
    yield* second.pass("2 hours")
    const [early, appliedEarly] = [yield* footprint, cluster.applies]
    const bytes: Array<number> = []
    for (let hour = 2; hour < hours; hour++) {
      yield* second.pass("1 hour")
      bytes.push((yield* onDisk).bytes)
    }
    const [late, appliedLate] = [yield* footprint, cluster.applies]
    const service = before.find((key) => key.startsWith("Service/")) ?? ""
    cluster.plain.objects.delete(service)
    yield* second.pass("2 minutes")
    const kept = yield* onDisk
    const away = {
      asked: starbase.count("desired-state"),
      dropped: (yield* dropped) - droppedBefore,
      kept: kept.sweeps,
      keptMinutes: kept.minutes,
      objects: new Set(cluster.plain.keys())
    }

    starbase.isAway = false
    starbase.held.length = 0
    const newest = fullState({ ...held, n: 9 })
    starbase.document = newest
    yield* second.pass("10 seconds")
    const holding = [...starbase.held]
    /** A sweep in between would be on its way. */
    yield* second.until(Effect.map(onDisk, ({ sweeps }) => sweeps === 0))
    yield* second.stop
    const left = (yield* onDisk).sweeps
    return {
      ...away,
      droppedAfter: (yield* dropped) - droppedBefore - away.dropped,
      early,
      late,
      writes: appliedLate - appliedEarly,
      bytes,
      before,
      cluster,
      logged,
      holding,
      newest,
      starbase,
      left
    }
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer), Metric.enableRuntimeMetrics)

type Outage = Effect.Success<ReturnType<typeof outage>>

/** Every snapshot that was kept arrived, and none twice. */
const assertSentOnce = ({ dropped: lost, droppedAfter, keptMinutes, left, starbase }: Outage) => {
  assert.strictEqual(left, 0)
  const minutes = [...starbase.minutes].sort((a, b) => a - b)
  /** An agent sweeps as it starts, and then at its place in the interval: that may be the same minute, with the same ids. */
  for (const minute of starbase.repeated) assert.isBelow(minute, start + 4 * 60_000)
  /** But for what a sweep pushed out that came while the rest was sent. */
  const missing = [...keptMinutes].filter((minute) => !starbase.minutes.has(minute))
  assert.isAtMost(missing.length, droppedAfter)
  assert.strictEqual(starbase.snapshots.size, minutes.length * podCount)
  /** The newest are kept: no minute is missing from the first that arrived on. */
  assert.strictEqual((minutes.at(-1) ?? 0) - (minutes[0] ?? 0), (minutes.length - 1) * 60_000)
  const firstSwept = Math.floor(start / 60_000) + 2
  assert.approximately((minutes[0] ?? 0) / 60_000 - firstSwept, lost, 2)
}

describe("an outage of Starbase, in simulated time", () => {
  it.effect(
    "INV-SHU-10 of 24 hours: nothing grows, nothing is pruned, drift is repaired, and everything is told afterwards",
    () =>
      Effect.gen(function* () {
        const day = yield* outage(24, {})
        assert.deepStrictEqual(day.cluster.removed, [])
        for (const key of day.before) assert.isTrue(day.objects.has(key), key)
        assert.strictEqual(day.writes, 0)
        /** Once each 5 to 10 s, whatever else fails meanwhile. */
        assert.isAbove(day.asked, (24 * 3600) / 10)
        assert.isBelow(day.asked, (24 * 3600) / 5)

        assert.strictEqual(day.late.fibers, day.early.fibers)
        assert.isBelow(day.late.heap - day.early.heap, 8 * 1024 * 1024)
        assert.strictEqual(day.dropped, 0)
        assert.isAtLeast(day.kept, 24 * 60)
        for (const [line, count] of day.logged) assert.isAtMost(count, 2, line)

        /** The first answered pull brings the newest document; the second one holds it. */
        assert.deepStrictEqual(day.holding.slice(0, 2), [
          `"${fullState({ epoch: "00000002", n: 2 }).revision}"`,
          `"${day.newest.revision}"`
        ])
        assert.strictEqual(day.starbase.reported, day.newest.revision)
        assertSentOnce(day)
      }),
    240_000
  )

  it.effect(
    "that fills the disk's share: the oldest snapshots go, which is told and counted, and the rest is sent once",
    () =>
      Effect.gen(function* () {
        const bound = 64 * 1024
        const long = yield* outage(6, { snapshotBufferBytesMax: bound })
        assert.isAbove(long.dropped, 0)
        assert.isAtLeast(long.dropped + long.kept, 6 * 60)
        /** A sweep is written before the oldest go: at a glance there may be one more. */
        for (const bytes of long.bytes) assert.isAtMost(bytes, bound + 1024)
        assert.isAtLeast(long.logged.get("Error Snapshots that Starbase never took are dropped") ?? 0, 1)
        assertSentOnce(long)
      }),
    240_000
  )
})
