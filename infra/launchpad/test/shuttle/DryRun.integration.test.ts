/** What Shuttle and infra/kubernetes would write, told to the API server without writing it: a server's whole admission looks at it. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import { VarGroupId } from "@starform/domain/ids/Ids"
import { ProcessName, VariableName } from "@starform/domain/ids/Slug"
import { type Manifest, referenceOf } from "@starform/shuttle/kubernetes/Manifest"
import { objectPath, writtenKinds } from "@starform/shuttle/kubernetes/ResourceKind"
import { appManifests } from "@starform/shuttle/manifests/AppManifests"
import { isolationManifests } from "@starform/shuttle/manifests/NetworkManifests"
import { projectManifests } from "@starform/shuttle/manifests/ProjectManifests"
import { varGroupManifests } from "@starform/shuttle/manifests/VarGroupManifests"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import { Effect, Result, type Scope } from "effect"
import { join } from "node:path"
import { type ManifestObject, render, root, template } from "../infra/Kustomization.ts"
import { cluster, clusterId, contents, newApp, type WireObject } from "./AgentHarness.ts"

type Person = Effect.Success<typeof cluster>["person"]

/** Fails with the server's words, also for a field that it does not know. By force: nothing is taken from anybody. */
const dryApply = (person: Person, path: string, object: unknown, words: string) =>
  Effect.map(
    person.call(
      "PATCH",
      `${path}?fieldManager=starform-dry-run&force=true&fieldValidation=Strict&dryRun=All`,
      object,
      "application/apply-patch+yaml"
    ),
    ({ body, status }) => assert.include([200, 201], status, `${words}: ${JSON.stringify(body)}`)
  )

const version = (person: Person, path: string) =>
  Effect.map(person.call("GET", path), ({ body, status }) => ({
    status,
    resourceVersion: status === 200 ? (body as WireObject).metadata.resourceVersion : null
  }))

interface Served {
  readonly groups: ReadonlyArray<{ readonly versions: ReadonlyArray<{ readonly groupVersion: string }> }>
  readonly resources: ReadonlyArray<{ readonly kind: string; readonly name: string }>
}

const rootOf = (apiVersion: string): string => `/${apiVersion.includes("/") ? "apis" : "api"}/${apiVersion}`

/** How the server calls the objects of a kind in paths; `null` where it does not know the kind. */
const pluralOf = Effect.fnUntraced(function* (person: Person, { apiVersion, kind }: ManifestObject) {
  const { groups } = (yield* person.call("GET", "/apis")).body as Served
  const versions = groups.flatMap((group) => group.versions.map(({ groupVersion }) => groupVersion))
  if (apiVersion !== "v1" && !versions.includes(apiVersion)) return null
  const { resources } = (yield* person.call("GET", rootOf(apiVersion))).body as Served
  return resources.find((one) => one.kind === kind && !one.name.includes("/"))?.name ?? null
})

const pathOf = ({ apiVersion, metadata }: ManifestObject, plural: string): string => {
  const scope = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`
  return `${rootOf(apiVersion)}${scope}/${plural}/${metadata.name}`
}

const live = <A, E>(effect: Effect.Effect<A, E, NodeServices.NodeServices | Scope.Scope>) =>
  Effect.scoped(effect).pipe(Effect.provide(NodeServices.layer))

const group = {
  id: VarGroupId.make("0198c0de-0000-7000-8009-000000000002"),
  version: 1,
  attachOrder: 0,
  variables: [{ key: VariableName.make("DSN"), value: "v", secret: true, version: "x1" }]
}

const web = (): DesiredApp => {
  const app = newApp()
  const autoscaling = { minReplicas: 2, maxReplicas: 9, cpuPercent: 70, memoryPercent: 80 }
  return {
    ...app,
    healthPath: "/healthz",
    variables: [
      { key: VariableName.make("PASSWORD"), value: "secret", secret: true, version: "1" },
      { key: VariableName.make("COLOUR"), value: "blue", secret: false, version: "1" }
    ],
    varGroups: [group],
    processes: app.processes.map((process) => ({ ...process, autoscaling }))
  }
}

const cron = (sibling: DesiredApp): DesiredApp => {
  const app = newApp(sibling)
  return {
    ...app,
    serviceType: "cron",
    hostnames: [],
    schedule: { expression: "*/5 * * * *", timeZone: "Europe/Berlin", concurrency: "forbid" },
    processes: app.processes.map((process) => ({
      ...process,
      name: ProcessName.make("cron"),
      containerPort: null
    }))
  }
}

describe("a server-side dry run", () => {
  it.live("takes every kind of manifest that Shuttle renders, and writes none", () =>
    live(
      Effect.gen(function* () {
        const { person } = yield* cluster
        const settings = { ...ShuttleConfig.defaults, clusterId }
        const app = web()
        const apps = [app, cron(app)]
        const manifests: ReadonlyArray<Manifest> = [
          ...projectManifests(app, settings),
          ...[...isolationManifests(apps, settings), ...varGroupManifests(apps, settings)].map(
            ({ manifest }) => manifest
          ),
          ...apps.flatMap((one) => Result.getOrThrow(appManifests(one, settings)))
        ]
        assert.sameMembers([...new Set(manifests.map(({ kind }) => kind))], [...writtenKinds])
        const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: app.namespace } }
        const made = yield* person.call("POST", "/api/v1/namespaces", namespace)
        assert.strictEqual(made.status, 201)
        for (const manifest of manifests) {
          const path = objectPath(referenceOf(manifest))
          yield* dryApply(person, path, manifest, path)
        }
        assert.strictEqual((yield* contents(person, app.namespace)).size, 0)
      })
    )
  )

  it.live("takes every manifest of infra/kubernetes whose kind the server knows", () =>
    live(
      Effect.gen(function* () {
        const { person } = yield* cluster
        const objects = render(join(root, "components/two-replicas"), render(template))
        const unknown = new Set<string>()
        const namespaces = objects.filter(({ kind }) => kind === "Namespace")
        for (const object of namespaces) {
          yield* dryApply(person, `/api/v1/namespaces/${object.metadata.name}`, object, object.metadata.name)
          const made = yield* person.call("POST", "/api/v1/namespaces", object)
          assert.strictEqual(made.status, 201, object.metadata.name)
        }
        for (const object of objects) {
          const plural = yield* pluralOf(person, object)
          if (plural === null) {
            unknown.add(object.kind)
            continue
          }
          const path = pathOf(object, plural)
          const before = yield* version(person, path)
          yield* dryApply(person, path, object, path)
          assert.deepStrictEqual(yield* version(person, path), before, path)
        }
        assert.isBelow(unknown.size, new Set(objects.map(({ kind }) => kind)).size / 2)
        console.log(`kinds that this server does not know: ${[...unknown].sort().join(", ") || "none"}`)
      })
    )
  )
})
