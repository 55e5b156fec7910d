import { assert, describe, it } from "@effect/vitest"
import * as ContainerLogs from "@starform/launchpad/runtime/ContainerLogs"
import { Effect, type Scope, Stream } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import {
  isAlive,
  makeFolder,
  nodeServices,
  podOf,
  startPod,
  until,
  writeImage,
  type NodeServices
} from "./PodHarness.ts"

const server = `
const http = require("node:http")
const host = process.env.LISTEN_HOST
const port = Number(process.env.LISTEN_PORT ?? process.env.PORT)
http.createServer((request, response) => {
  response.end(JSON.stringify({ pid: process.pid, uid: process.getuid(), cwd: process.cwd(), env: process.env }))
}).listen(port, host, () => console.log("listening on " + port))
`

const httpProbe = { httpGet: { path: "/", port: 3000 }, periodSeconds: 1 }
const web = { ports: [{ name: "http", containerPort: 3000 }], env: [{ name: "PORT", value: "3000" }] }

const ask = (port: number) =>
  Effect.promise(
    async () =>
      (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as {
        readonly pid: number
        readonly uid: number
        readonly cwd: string
        readonly env: Readonly<Record<string, string>>
      }
  )

const logText = (uid: string, restartCount: number, options = {}) =>
  Effect.gen(function* () {
    const logs = yield* ContainerLogs.ContainerLogs
    const key = { namespace: "shop", pod: "web-1", uid, container: "app", restartCount }
    return yield* Stream.mkString(Stream.decodeText(logs.read(key, { follow: false, ...options })))
  })

const onNode = <A, E>(
  use: (folder: string) => Effect.Effect<A, E, NodeServices | Scope.Scope>,
  settings: Parameters<typeof nodeServices>[1] = {}
) =>
  Effect.gen(function* () {
    const folder = yield* makeFolder
    return yield* Effect.provide(use(folder), nodeServices(folder, settings))
  })

describe("PodWorker", () => {
  it.live("runs a container on its own port with nothing of the platform's environment", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        writeImage(folder, "web", server)
        const env = [
          ...web.env,
          { name: "GREETING", value: "hi $(POD_NAME)" },
          { name: "TOKEN", valueFrom: { secretKeyRef: { name: "web", key: "token" } } }
        ]
        const field = { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }
        const pod = yield* startPod(
          folder,
          podOf({ image: "web", container: { ...web, env: [field, ...env], readinessProbe: httpProbe } }),
          { secrets: new Map([["web", { token: "s3cret" }]]) }
        )
        yield* until("ready", () => pod.condition("Ready")?.status === "True", pod.status)
        const port = pod.ports()["3000"] ?? 0
        const answer = yield* ask(port)
        const { LAUNCHPAD_CONTAINER_INSTANCE, ...seen } = answer.env
        assert.match(LAUNCHPAD_CONTAINER_INSTANCE ?? "", /^[0-9a-f]+-[0-9a-f]{12}$/)
        assert.deepStrictEqual(Object.keys(seen).sort(), [
          "GREETING",
          "HOME",
          "HOSTNAME",
          "LANG",
          "PATH",
          "POD_NAME",
          "PORT",
          "TMPDIR",
          "TOKEN"
        ])
        assert.strictEqual(seen.PORT, String(port))
        assert.strictEqual(seen.GREETING, "hi web-1")
        assert.strictEqual(seen.TOKEN, "s3cret")
        assert.strictEqual(answer.cwd, path.join(folder, "images", "web", "app"))
        assert.strictEqual(answer.uid, process.getuid?.() === 0 ? 2_000_000 : process.getuid?.())
        assert.strictEqual(pod.status()?.phase, "Running")
        assert.strictEqual(pod.status()?.podIP, "127.0.0.1")
        yield* pod.end()
        assert.isTrue(pod.removed())
        assert.isFalse(isAlive(answer.pid))
        assert.isFalse(fs.existsSync(path.join(folder, "node", "pods", pod.uid)))
        assert.deepStrictEqual(fs.readdirSync(path.join(folder, "node", "processes")), [])
      })
    )
  )

  it.live("is ready well before the probe's period has passed", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        writeImage(folder, "web", server)
        const readinessProbe = { ...httpProbe, periodSeconds: 30 }
        const pod = yield* startPod(folder, podOf({ image: "web", container: { ...web, readinessProbe } }))
        yield* until("ready", () => pod.condition("Ready")?.status === "True", pod.status, 5)
      })
    )
  )

  it.live("names the port on which a container really listens", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        writeImage(folder, "web", server)
        const env = [...web.env, { name: "LISTEN_PORT", value: "0" }]
        const pod = yield* startPod(
          folder,
          podOf({ image: "web", container: { ...web, env, readinessProbe: httpProbe } })
        )
        yield* until("named", () => pod.condition("Ready")?.reason === "WrongPort", pod.status)
        const message = pod.condition("Ready")?.message ?? ""
        assert.match(message, new RegExp(`^listens on \\d+, but PORT is ${pod.ports()["3000"]}$`))
        const named = Number(/listens on (\d+)/.exec(message)?.[1])
        assert.property(yield* ask(named), "pid")
        assert.isTrue(pod.events.some((event) => event.reason === "WrongPort" && event.message === message))
      })
    )
  )

  it.live("does not call a container ready that only loopback can reach", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        writeImage(folder, "web", server)
        const env = [...web.env, { name: "LISTEN_HOST", value: "127.0.0.1" }]
        const pod = yield* startPod(
          folder,
          podOf({ image: "web", container: { ...web, env, readinessProbe: httpProbe } })
        )
        yield* until("named", () => pod.condition("Ready")?.reason === "UnreachableInterface", pod.status)
        const port = pod.ports()["3000"]
        assert.strictEqual(
          pod.condition("Ready")?.message,
          `listens on 127.0.0.1:${port} only, which nothing outside the pod can reach; listen on 0.0.0.0:${port}`
        )
        assert.isFalse(
          pod.statuses.some((status) =>
            status.conditions.some((one) => one.type === "Ready" && one.status === "True")
          )
        )
      })
    )
  )

  it.live("restarts a crashing container at once, then with growing delay, and keeps its exit code", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        writeImage(folder, "crash", `console.log("boom " + Date.now()); process.exit(3)`)
        const pod = yield* startPod(folder, podOf({ image: "crash" }))
        yield* until("third restart", () => (pod.container()?.restartCount ?? 0) >= 3, pod.status)
        const waits = pod.statuses.flatMap(
          (status) => status.containerStatuses[0]?.state.waiting?.message ?? []
        )
        assert.isTrue(waits.some((text) => text.startsWith("back-off 200ms restarting failed container=app")))
        assert.isTrue(waits.some((text) => text.startsWith("back-off 400ms")))
        const last = pod.container()?.lastState.terminated
        assert.strictEqual(last?.exitCode, 3)
        assert.strictEqual(last?.reason, "Error")
        assert.strictEqual(pod.status()?.phase, "Running")
        assert.match(yield* logText(pod.uid, 2), /^boom \d+\n$/)
        yield* pod.end()
      })
    )
  )

  it.live("restarts a container that was killed from outside", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        writeImage(folder, "web", server)
        const pod = yield* startPod(
          folder,
          podOf({ image: "web", container: { ...web, readinessProbe: httpProbe } })
        )
        yield* until("ready", () => pod.condition("Ready")?.status === "True", pod.status)
        const before = yield* ask(pod.ports()["3000"] ?? 0)
        process.kill(before.pid, "SIGKILL")
        yield* until(
          "ready again",
          () => pod.container()?.restartCount === 1 && pod.condition("Ready")?.status === "True",
          pod.status
        )
        const after = yield* ask(pod.ports()["3000"] ?? 0)
        assert.notStrictEqual(after.pid, before.pid)
        assert.strictEqual(pod.container()?.lastState.terminated?.exitCode, 137)
        assert.strictEqual(pod.container()?.lastState.terminated?.signal, 9)
      })
    )
  )

  it.live("kills and restarts a container whose liveness probe fails", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        writeImage(
          folder,
          "sick",
          `require("node:http").createServer((q, r) => { r.statusCode = process.uptime() > 1.5 ? 500 : 200; r.end() }).listen(process.env.PORT)`
        )
        const livenessProbe = {
          httpGet: { path: "/", port: "http" },
          initialDelaySeconds: 1,
          periodSeconds: 1,
          failureThreshold: 1
        }
        const pod = yield* startPod(folder, podOf({ image: "sick", container: { ...web, livenessProbe } }))
        yield* until("restarted", () => pod.container()?.restartCount === 1, pod.status)
        assert.isTrue(
          pod.events.some(
            (event) => event.message === "Liveness probe failed: HTTP probe failed with statuscode: 500"
          )
        )
        assert.isTrue(
          pod.events.some(
            (event) => event.message === "Container app failed liveness probe, will be restarted"
          )
        )
      })
    )
  )

  it.live("waits for the startup probe before the others count", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        writeImage(
          folder,
          "slow",
          `setTimeout(() => require("node:http").createServer((q, r) => r.end()).listen(process.env.PORT), 1200)`
        )
        const startupProbe = { tcpSocket: { port: 3000 }, periodSeconds: 1, failureThreshold: 10 }
        const livenessProbe = { tcpSocket: { port: 3000 }, periodSeconds: 1, failureThreshold: 1 }
        const pod = yield* startPod(
          folder,
          podOf({ image: "slow", container: { ...web, startupProbe, livenessProbe } })
        )
        yield* until("ready", () => pod.condition("Ready")?.status === "True", pod.status)
        assert.strictEqual(pod.container()?.restartCount, 0)
        assert.isTrue(pod.container()?.started)
      })
    )
  )

  it.live("runs exec probes beside the container", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        writeImage(
          folder,
          "file",
          `setTimeout(() => require("node:fs").writeFileSync(process.env.HOME + "/ready", ""), 300); setInterval(() => {}, 1000)`
        )
        const readinessProbe = {
          exec: { command: ["/bin/sh", "-c", "test -f $HOME/ready"] },
          periodSeconds: 1
        }
        const pod = yield* startPod(folder, podOf({ image: "file", container: { readinessProbe } }))
        yield* until("ready", () => pod.condition("Ready")?.status === "True", pod.status)
        yield* pod.end()
        assert.deepStrictEqual(fs.readdirSync(path.join(folder, "node", "processes")), [])
      })
    )
  )

  it.live("ends a process that ignores SIGTERM, its children and a child that left the group", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        writeImage(
          folder,
          "stubborn",
          `
const { spawn } = require("node:child_process")
process.on("SIGTERM", () => console.log("ignored"))
const child = spawn("sleep", ["600"])
const escaped = spawn("sleep", ["600"], { detached: true, stdio: "ignore" })
console.log("pids " + [process.pid, child.pid, escaped.pid].join(" "))
setInterval(() => {}, 1000)
`
        )
        const pod = yield* startPod(folder, podOf({ image: "stubborn" }))
        yield* until("running", () => pod.container()?.state.running !== undefined, pod.status)
        let text = ""
        for (let tries = 0; tries < 300 && !text.includes("pids"); tries += 1) {
          yield* Effect.sleep(10)
          text = yield* logText(pod.uid, 0)
        }
        const pids = text.trim().split(" ").slice(1).map(Number)
        assert.strictEqual(pids.filter(isAlive).length, 3)
        yield* pod.end(1)
        assert.deepStrictEqual(pids.filter(isAlive), [])
      })
    )
  )

  it.live("gives preStop its time before SIGTERM", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        writeImage(
          folder,
          "term",
          `process.on("SIGTERM", () => { console.log("term"); process.exit(0) }); console.log("up"); setInterval(() => {}, 1000)`
        )
        const pod = yield* startPod(
          folder,
          podOf({ image: "term", container: { lifecycle: { preStop: { sleep: { seconds: 1 } } } } })
        )
        yield* until("running", () => pod.container()?.state.running !== undefined, pod.status)
        yield* Effect.sleep(300)
        const before = Date.now()
        yield* pod.end(5)
        const took = Date.now() - before
        assert.isAtLeast(took, 950)
        assert.isBelow(took, 3000)
        assert.strictEqual(pod.container()?.state.terminated?.reason, "Completed")
      })
    )
  )

  it.live("says why an image cannot be had, and starts when it can", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        const pod = yield* startPod(folder, podOf({ image: "late" }))
        yield* until(
          "back-off",
          () => pod.container()?.state.waiting?.reason === "ImagePullBackOff",
          pod.status
        )
        assert.strictEqual(pod.status()?.phase, "Pending")
        writeImage(folder, "late", "setInterval(() => {}, 1000)")
        yield* until("running", () => pod.container()?.state.running !== undefined, pod.status)
      })
    )
  )

  it.live("says which Secret is missing", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        writeImage(folder, "web", server)
        const env = [{ name: "TOKEN", valueFrom: { secretKeyRef: { name: "absent", key: "token" } } }]
        const pod = yield* startPod(folder, podOf({ image: "web", container: { env } }))
        yield* until(
          "named",
          () => pod.container()?.state.waiting?.reason === "CreateContainerConfigError",
          pod.status
        )
        assert.strictEqual(pod.container()?.state.waiting?.message, `secret "absent" not found`)
        yield* pod.end()
      })
    )
  )

  it.live("says what could not be started", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        writeImage(folder, "web", server)
        const pod = yield* startPod(
          folder,
          podOf({ image: "web", container: { command: ["no-such-program"] } })
        )
        yield* until("failed", () => pod.container()?.lastState?.terminated !== undefined, pod.status)
        const { exitCode, message, reason } = pod.container()?.lastState.terminated ?? {}
        assert.strictEqual(exitCode, 128)
        assert.strictEqual(reason, "StartError")
        assert.match(message ?? "", /"no-such-program": executable file not found/)
      })
    )
  )

  it.live("runs init containers to their end, one after the other, before the others", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        writeImage(
          folder,
          "init",
          `require("node:fs").appendFileSync(process.env.HOME + "/order", process.env.STEP)`
        )
        writeImage(
          folder,
          "main",
          `console.log(require("node:fs").readFileSync(process.env.HOME + "/order", "utf8")); setInterval(() => {}, 1000)`
        )
        const step = (name: string) => ({ name, image: "init", env: [{ name: "STEP", value: name }] })
        const pod = yield* startPod(
          folder,
          podOf({ image: "main", spec: { initContainers: [step("a"), step("b")] } })
        )
        yield* until("running", () => pod.condition("Ready")?.status === "True", pod.status)
        let text = ""
        for (let tries = 0; tries < 300 && text === ""; tries += 1) {
          yield* Effect.sleep(10)
          text = yield* logText(pod.uid, 0)
        }
        assert.strictEqual(text, "ab\n")
        assert.deepStrictEqual(
          pod.status()?.initContainerStatuses.map((one) => one.state.terminated?.reason),
          ["Completed", "Completed"]
        )
      })
    )
  )

  it.live("ends as Succeeded or Failed when its restart policy says so", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        writeImage(folder, "good", "")
        writeImage(folder, "bad", "process.exit(1)")
        const good = yield* startPod(folder, podOf({ image: "good", spec: { restartPolicy: "OnFailure" } }))
        const bad = yield* startPod(folder, podOf({ image: "bad", spec: { restartPolicy: "Never" } }))
        yield* until(
          "over",
          () => good.status()?.phase === "Succeeded" && bad.status()?.phase === "Failed",
          () => [good.status(), bad.status()]
        )
        assert.strictEqual(good.condition("Ready")?.reason, "PodCompleted")
      })
    )
  )

  it.live("takes up a pod of an earlier start in place, with one more restart", () =>
    onNode((folder) =>
      Effect.gen(function* () {
        writeImage(folder, "web", server)
        const status = {
          phase: "Running",
          startTime: "2026-01-01T00:00:00Z",
          containerStatuses: [
            { name: "app", restartCount: 4, state: { running: { startedAt: "2026-01-01T00:00:00Z" } } }
          ]
        }
        const pod = yield* startPod(
          folder,
          podOf({ image: "web", container: { ...web, readinessProbe: httpProbe }, status })
        )
        yield* until("not ready first", () => pod.statuses.length > 0, pod.status)
        assert.strictEqual(pod.statuses[0]?.conditions.find((one) => one.type === "Ready")?.status, "False")
        yield* until("ready", () => pod.condition("Ready")?.status === "True", pod.status)
        assert.strictEqual(pod.container()?.restartCount, 5)
        assert.strictEqual(pod.container()?.lastState.terminated?.reason, "ContainerStatusUnknown")
        assert.strictEqual(pod.status()?.startTime, "2026-01-01T00:00:00Z")
      })
    )
  )

  it.live("leaves no process when the node's scope closes", () =>
    Effect.gen(function* () {
      const folder = yield* makeFolder
      writeImage(folder, "web", server)
      const pid = yield* Effect.scoped(
        Effect.gen(function* () {
          const pod = yield* startPod(
            folder,
            podOf({ image: "web", container: { ...web, readinessProbe: httpProbe } })
          )
          yield* until("ready", () => pod.condition("Ready")?.status === "True", pod.status)
          return (yield* ask(pod.ports()["3000"] ?? 0)).pid
        })
      ).pipe(Effect.provide(nodeServices(folder)))
      assert.isFalse(isAlive(pid))
      assert.deepStrictEqual(fs.readdirSync(path.join(folder, "node", "processes")), [])
    })
  )
})
