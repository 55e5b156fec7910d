/** The cases of pruning, as scripts: each says what is wanted, waits until it is so, and what must be there then. */
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import { VarGroupId } from "@starform/domain/ids/Ids"
import { ProcessName, VariableName } from "@starform/domain/ids/Slug"
import { CronExpression } from "@starform/domain/model/Schedule"
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { newApp, nextDeploy, tombstoneOf, type WireObject } from "./AgentHarness.ts"
import { assertExactly, managedLabel, type PruneWorld } from "./PruneWorld.ts"

const variable = (key: string, value: string, secret: boolean) => ({
  key: VariableName.make(key),
  value,
  secret,
  version: `${key}-1`
})

const newGroup = () => ({
  id: VarGroupId.make(randomUUID()),
  version: 1,
  attachOrder: 1,
  variables: [variable("SHARED", "x", true)]
})

/** One with an object of every kind that a web app may have. */
const whole = (sibling?: DesiredApp): DesiredApp => {
  const app = newApp(sibling)
  const autoscaling = { minReplicas: 2, maxReplicas: 4, cpuPercent: 70, memoryPercent: null }
  return {
    ...app,
    variables: [variable("OPEN", "a", false), variable("CLOSED", "b", true)],
    processes: app.processes.map((process) => ({ ...process, autoscaling })),
    varGroups: [newGroup()]
  }
}

const scheduled = (sibling: DesiredApp): DesiredApp => {
  const app = newApp(sibling)
  return {
    ...app,
    serviceType: "cron",
    hostnames: [],
    processes: app.processes.map((process) => ({ ...process, containerPort: null })),
    schedule: { expression: CronExpression.make("0 3 * * *"), timeZone: null, concurrency: "forbid" }
  }
}

const worker = (sibling?: DesiredApp): DesiredApp => {
  const app = newApp(sibling)
  return {
    ...app,
    serviceType: "worker",
    hostnames: [],
    processes: app.processes.map((process) => ({
      ...process,
      name: ProcessName.make("worker"),
      containerPort: null
    }))
  }
}

const withoutProcess = (app: DesiredApp): DesiredApp => nextDeploy(app, { processes: [] })

const merge = "application/merge-patch+json"

const pathOf = (objects: ReadonlyMap<string, WireObject>, app: DesiredApp, plural: string): string => {
  const found = [...objects].find(
    ([path, object]) =>
      path.includes(`/${plural}/`) && object.metadata.annotations?.["starform.io/app-id"] === app.appId
  )
  if (found === undefined) throw new Error(`no ${plural} of ${app.appId}`)
  return found[0]
}

/** What others put into the namespace: one object with a life of its own, and one that only looks like ours. */
const strangers = Effect.fnUntraced(function* (world: PruneWorld, app: DesiredApp) {
  const collection = `/api/v1/namespaces/${app.namespace}/configmaps`
  const make = (name: string, metadata: object) =>
    Effect.map(
      world.person.call("POST", collection, {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name, ...metadata },
        data: { by: "hand" }
      }),
      ({ body }) => world.makeForeign(`${collection}/${name}`, body as WireObject)
    )
  yield* make("by-hand", {})
  yield* make("copied", { labels: managedLabel, annotations: { "starform.io/app-id": app.appId } })
})

const namespaces = (world: PruneWorld) =>
  Effect.map(world.person.list("/api/v1/namespaces"), (items) => items.map(({ metadata }) => metadata.name))

/** Makes the apps, in quiet, and others' objects beside them. */
const made = Effect.fnUntraced(function* (world: PruneWorld, apps: ReadonlyArray<DesiredApp>) {
  world.want(apps)
  for (const namespace of new Set(apps.map((app) => app.namespace))) {
    yield* world.reach(
      "the apps are made",
      Effect.map(world.inventory(namespace), (text) => text !== "" && !text.includes('"uid":null'))
    )
  }
  yield* world.passed
  for (const app of apps.slice(0, 1)) yield* strangers(world, app)
  return yield* world.found(apps)
})

const absent = (world: PruneWorld, apps: ReadonlyArray<DesiredApp>) =>
  Effect.andThen(
    world.reach(
      "told absent",
      Effect.sync(() => apps.every((app) => world.told(app.appId)?.phase === "absent"))
    ),
    world.passed
  )

const noneAbsent = (world: PruneWorld, apps: ReadonlyArray<DesiredApp>) => {
  for (const app of apps) assert.notStrictEqual(world.told(app.appId)?.phase, "absent")
}

const without = (objects: ReadonlyMap<string, WireObject>, gone: ReadonlySet<string>) =>
  [...objects.keys()].filter((path) => !gone.has(path))

export type Rows = Readonly<Record<string, (world: PruneWorld) => Effect.Effect<void>>>

/**
 * What a gate or the cluster holds back. A living app takes a new deploy meanwhile, so that there are writes to die at also
 * where nothing may be deleted.
 */
export const heldBack: Rows = {
  "a render error in the project": Effect.fnUntraced(function* (world) {
    const stays = worker()
    const [goes, broken] = [newApp(stays), newApp(stays)]
    const before = yield* made(world, [stays, goes])
    yield* world.arm
    const next = nextDeploy(stays)
    world.want([next, withoutProcess(broken)], [tombstoneOf(goes)])
    yield* world.passed
    assertExactly(world, yield* world.found([stays]), before.keys())
    yield* world.reach(
      "told",
      Effect.sync(() => world.told(broken.appId)?.reason?.code === "NotRenderable")
    )
    noneAbsent(world, [goes])
    const gone = world.allow(before, [goes.appId])
    world.want([next], [tombstoneOf(goes)])
    yield* absent(world, [goes])
    assertExactly(world, yield* world.found([stays]), without(before, gone))
  }),

  "an empty document, and one that leaves an app out": Effect.fnUntraced(function* (world) {
    const stays = worker()
    const leftOut = newApp(stays)
    const before = yield* made(world, [stays, leftOut])
    yield* world.arm
    world.want([])
    yield* world.passed
    yield* world.die
    yield* world.passed
    assertExactly(world, yield* world.found([stays]), before.keys())
    world.want([nextDeploy(stays)])
    yield* world.passed
    assertExactly(world, yield* world.found([stays]), before.keys())
    noneAbsent(world, [stays, leftOut])
  }),

  "more than max(5, 30 %) tombstones without a marker": Effect.fnUntraced(function* (world) {
    const stays = worker()
    const many = Array.from({ length: 6 }, () => worker(stays))
    const before = yield* made(world, [stays, ...many])
    yield* world.arm
    const next = nextDeploy(stays)
    const tombstones = many.map((app) => tombstoneOf(app))
    world.want([next], tombstones)
    yield* world.passed
    assertExactly(world, yield* world.found([stays]), before.keys())
    noneAbsent(world, many)
    const gone = world.allow(
      before,
      many.map(({ appId }) => appId)
    )
    world.want([next], tombstones, { massPruneConfirmed: true })
    yield* absent(world, many)
    assertExactly(world, yield* world.found([stays]), without(before, gone))
  }),

  "a new epoch that is not confirmed": Effect.fnUntraced(function* (world) {
    const first = worker()
    const more = first.processes.map((process) => ({ ...process, name: ProcessName.make("more") }))
    const stays = { ...first, processes: [...first.processes, ...more] }
    const goes = newApp(stays)
    const before = yield* made(world, [stays, goes])
    yield* world.arm
    const epoch = "00000002"
    /** An older entry comes back with the backup: what it does not name stays too (INV-DOC-4). */
    const next = nextDeploy(stays, { processes: first.processes })
    world.want([next], [], { epoch, epochConfirmed: false })
    yield* world.passed
    assertExactly(world, yield* world.found([stays]), before.keys())
    world.want([next], [tombstoneOf(goes)], { epoch, epochConfirmed: false })
    yield* world.passed
    assertExactly(world, yield* world.found([stays]), before.keys())
    noneAbsent(world, [goes])
    const leftover = [...before].find(([path]) => path.includes("/deployments/") && path.includes("-more-"))
    const gone = world.allow(
      new Map(
        [...before].filter(
          (entry) =>
            entry[1].metadata.annotations?.["starform.io/app-id"] === goes.appId || entry[0] === leftover?.[0]
        )
      ),
      [goes.appId, stays.appId]
    )
    world.want([next], [tombstoneOf(goes)], { epoch, epochConfirmed: true })
    yield* absent(world, [goes])
    yield* world.reach(
      "the leftover is forgotten",
      Effect.map(world.inventory(stays.namespace), (text) => !text.includes("-more-"))
    )
    assertExactly(world, yield* world.found([stays]), without(before, gone))
  }),

  "a finalizer holds an object": Effect.fnUntraced(function* (world) {
    const stays = worker()
    const goes = newApp(stays)
    const before = yield* made(world, [stays, goes])
    const held = pathOf(before, goes, "deployments")
    yield* world.person.call("PATCH", held, { metadata: { finalizers: ["example.com/hold"] } }, merge)
    yield* world.arm
    const gone = world.allow(before, [goes.appId])
    world.want([nextDeploy(stays)], [tombstoneOf(goes)])
    const told = Effect.sync(() => world.told(goes.appId)?.reason)
    yield* world.reach(
      "told",
      Effect.map(told, (reason) => reason?.code === "HeldByFinalizer")
    )
    yield* world.passed
    const left = new Set([...gone].filter((path) => path !== held))
    yield* world.reach(
      "the rest is forgotten",
      Effect.map(world.inventory(stays.namespace), (text) => text.split(goes.appId).length === 2)
    )
    yield* world.passed
    assertExactly(world, yield* world.found([stays]), without(before, left))
    assert.include((yield* told)?.message, "example.com/hold")
    assert.include(yield* world.inventory(goes.namespace), `"${held.split("/").at(-1)}"`)
    assert.strictEqual(world.told(goes.appId)?.phase, "progressing")
    yield* world.person.call("PATCH", held, { metadata: { finalizers: null } }, merge)
    yield* absent(world, [goes])
    assertExactly(world, yield* world.found([stays]), without(before, gone))
  }),

  "a delete is denied (403)": (world) => denied(world, "httproutes", 403, "Forbidden", []),
  "a delete is refused (422)": (world) =>
    denied(world, "deployments", 422, "Invalid", ["httproutes", "services"]),

  "the inventory cannot be written when everything is gone": Effect.fnUntraced(function* (world) {
    const stays = worker()
    const goes = newApp(stays)
    const before = yield* made(world, [stays, goes])
    let [isGuarded, refusals] = [true, 0]
    world.interfere(({ path }) => {
      if (!isGuarded || !path.endsWith("/starform-inventory")) return Effect.succeed(null)
      refusals += 1
      return Effect.succeed(refused(403, "Forbidden", "configmaps are guarded"))
    })
    yield* world.arm
    const gone = world.allow(before, [goes.appId])
    world.want([nextDeploy(stays)], [tombstoneOf(goes)])
    yield* world.reach(
      "refused",
      Effect.sync(() => refusals > 0)
    )
    yield* world.passed
    assertExactly(world, yield* world.found([stays]), without(before, gone))
    noneAbsent(world, [goes])
    isGuarded = false
    yield* absent(world, [goes])
    assert.notInclude(yield* world.inventory(goes.namespace), goes.appId)
  })
}

/** What goes, and what stays beside it. */
export const removals: Rows = {
  "a tombstone with objects of every wave": Effect.fnUntraced(function* (world) {
    const stays = newApp()
    const [web, cron] = [whole(stays), scheduled(stays)]
    const before = yield* made(world, [stays, web, cron])
    yield* world.arm
    const gone = world.allow(before, [web.appId, cron.appId, null])
    assert.strictEqual(gone.size, 11)
    world.want([stays], [tombstoneOf(web), tombstoneOf(cron)])
    yield* absent(world, [web, cron])
    assertExactly(world, yield* world.found([stays]), without(before, gone))
  }),

  "a tombstone beside a project that is new": Effect.fnUntraced(function* (world) {
    const [goes, stays] = [newApp(), newApp()]
    const before = yield* made(world, [goes])
    yield* world.arm
    const gone = world.allow(before, [goes.appId])
    world.want([stays], [tombstoneOf(goes)])
    yield* absent(world, [goes])
    yield* world.reach(
      "the new one",
      Effect.map(world.inventory(stays.namespace), (text) => text !== "" && !text.includes('"uid":null'))
    )
    yield* world.passed
    assertExactly(world, yield* world.found([goes]), without(before, gone))
    assert.strictEqual((yield* world.found([stays])).size, 13)
  }),

  "an object was removed by hand while the tombstone waited": Effect.fnUntraced(function* (world) {
    const { before, confirm, goes, stays } = yield* waiting(world)
    yield* world.person.call("DELETE", pathOf(before, goes, "httproutes"))
    yield* world.person.call("DELETE", pathOf(before, goes, "secrets"))
    const gone = world.allow(before, [goes.appId])
    yield* confirm
    assertExactly(world, yield* world.found([stays]), without(before, gone))
  }),

  "objects were taken over, or made anew under the same name": Effect.fnUntraced(function* (world) {
    const { before, confirm, goes, stays } = yield* waiting(world)
    const taken = pathOf(before, goes, "services")
    const service = yield* world.person.call(
      "PATCH",
      taken,
      { metadata: { labels: { "starform.io/managed-by": "somebody" } } },
      merge
    )
    world.makeForeign(taken, service.body as WireObject)
    const anew = pathOf(before, goes, "configmaps")
    yield* recreate(world, anew, {})
    const copied = pathOf(before, goes, "secrets")
    yield* recreate(world, copied, {
      labels: managedLabel,
      annotations: { "starform.io/app-id": goes.appId }
    })
    const gone = world.allow(before, [goes.appId])
    assert.isFalse([taken, anew, copied].some((path) => gone.has(path)))
    yield* confirm
    assertExactly(world, yield* world.found([stays]), without(before, gone))
  }),

  "an object is made anew by another between the look and the delete": Effect.fnUntraced(function* (world) {
    const stays = worker()
    const goes = newApp(stays)
    const before = yield* made(world, [stays, goes])
    const anew = pathOf(before, goes, "services")
    yield* world.arm
    const gone = world.allow(before, [goes.appId])
    let isDone = false
    world.interfere(({ method }) => {
      if (method !== "DELETE" || isDone) return Effect.succeed(null)
      isDone = true
      return Effect.as(recreate(world, anew, {}), null)
    })
    world.want([stays], [tombstoneOf(goes)])
    yield* absent(world, [goes])
    assertExactly(world, yield* world.found([stays]), [...without(before, gone), anew])
  }),

  "a namespace shared with what others made, and no app left": Effect.fnUntraced(function* (world) {
    const first = newApp()
    const second = worker(first)
    const before = yield* made(world, [first, second])
    const there = yield* namespaces(world)
    yield* world.arm
    const gone = world.allow(before, [first.appId, second.appId])
    world.want([], [tombstoneOf(first), tombstoneOf(second)])
    yield* absent(world, [first, second])
    assertExactly(world, yield* world.found([first]), without(before, gone))
    assert.deepStrictEqual(yield* namespaces(world), there)
  }),

  "the Secret of a shared variable group": Effect.fnUntraced(function* (world) {
    const varGroups = [newGroup()]
    const first = { ...worker(), varGroups }
    const second = { ...worker(first), varGroups }
    const before = yield* made(world, [first, second])
    yield* world.arm
    const goneFirst = world.allow(before, [first.appId])
    world.want([second], [tombstoneOf(first)])
    yield* absent(world, [first])
    const left = yield* world.found([second])
    assertExactly(world, left, without(before, goneFirst))
    const gone = world.allow(left, [second.appId, null])
    world.want([], [tombstoneOf(first), tombstoneOf(second)])
    yield* absent(world, [second])
    yield* world.reach(
      "the group is forgotten",
      Effect.map(world.inventory(second.namespace), (text) => !text.includes('"vg-'))
    )
    assertExactly(world, yield* world.found([second]), without(left, gone))
  })
}

const recreate = Effect.fnUntraced(function* (world: PruneWorld, path: string, metadata: object) {
  const { body } = yield* world.person.call("GET", path)
  const { apiVersion, kind } = body as WireObject
  yield* world.person.call("DELETE", path)
  const name = path.split("/").at(-1)
  const spec = kind === "Service" ? { spec: { ports: [{ port: 9999 }] } } : {}
  const answer = yield* world.person.call("POST", path.slice(0, path.lastIndexOf("/")), {
    apiVersion,
    kind,
    metadata: { name, ...metadata },
    ...spec
  })
  assert.strictEqual(answer.status, 201)
  world.makeForeign(path, answer.body as WireObject)
})

/** An app whose tombstone waits for an epoch: neither wanted nor removed. */
const waiting = Effect.fnUntraced(function* (world: PruneWorld) {
  const stays = worker()
  const goes = newApp(stays)
  const before = yield* made(world, [stays, goes])
  yield* world.arm
  const next = nextDeploy(stays)
  const epoch = "00000002"
  world.want([next], [tombstoneOf(goes)], { epoch, epochConfirmed: false })
  yield* world.passed
  assertExactly(world, yield* world.found([stays]), before.keys())
  const confirm = Effect.suspend(() => {
    world.want([next], [tombstoneOf(goes)], { epoch, epochConfirmed: true })
    return absent(world, [goes])
  })
  return { before, confirm, goes, stays }
})

const refused = (code: number, reason: string, message: string) => ({
  status: code,
  body: JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", reason, code, message })
})

const denied = Effect.fnUntraced(function* (
  world: PruneWorld,
  plural: string,
  code: number,
  reason: string,
  earlier: ReadonlyArray<string>
) {
  const stays = worker()
  const goes = newApp(stays)
  const before = yield* made(world, [stays, goes])
  const guarded = pathOf(before, goes, plural)
  const message = `${plural} are guarded by a policy of this cluster`
  let isGuarded = true
  world.interfere(({ method, path }) =>
    Effect.succeed(
      isGuarded && method === "DELETE" && path === guarded ? refused(code, reason, message) : null
    )
  )
  yield* world.arm
  const gone = world.allow(before, [goes.appId])
  world.want([nextDeploy(stays)], [tombstoneOf(goes)])
  const told = Effect.sync(() => world.told(goes.appId))
  yield* world.reach(
    "told",
    Effect.map(told, (status) => status?.reason?.code === reason)
  )
  const first = new Set([...gone].filter((path) => earlier.some((each) => path.includes(`/${each}/`))))
  yield* world.reach(
    "the waves before it are forgotten",
    Effect.map(
      world.inventory(stays.namespace),
      (text) => text.split(goes.appId).length - 1 === gone.size - first.size
    )
  )
  yield* world.passed
  assertExactly(world, yield* world.found([stays]), without(before, first))
  const status = yield* told
  assert.include(status?.reason?.message, message)
  assert.deepInclude(status, { phase: "progressing", ordinal: goes.ordinal + 1 })
  isGuarded = false
  yield* absent(world, [goes])
  assertExactly(world, yield* world.found([stays]), without(before, gone))
})
