/**
 * The agent's Starbase in a benchmark: holds a document of as many apps as it is told, and says when it answered a pull. It
 * writes the same apps' manifests too, for those who apply them by other means. Argument: a folder for them.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import type { Manifest } from "@starform/shuttle/kubernetes/Manifest"
import { collectionPath, objectPath } from "@starform/shuttle/kubernetes/ResourceKind"
import { referenceOf } from "@starform/shuttle/kubernetes/Manifest"
import { appManifests } from "@starform/shuttle/manifests/AppManifests"
import { projectManifests } from "@starform/shuttle/manifests/ProjectManifests"
import { defaults } from "@starform/shuttle/ShuttleConfig"
import { Effect, Exit, Result, Scope } from "effect"
import { serve } from "../../../bench/program.ts"
import { clusterId, newApp, nextDeploy, starbase } from "../test/shuttle/AgentHarness.ts"

const [, , folder = ""] = process.argv

const scope = Scope.makeUnsafe()
const { answeredAt, statuses, url, want } = await Effect.runPromise(Scope.provide(starbase, scope))

let apps: ReadonlyArray<DesiredApp> = []

const make = ({
  projects,
  appsPerProject
}: {
  readonly projects: number
  readonly appsPerProject: number
}) => {
  apps = Array.from({ length: projects }).flatMap(() => {
    const first = newApp()
    return [first, ...Array.from({ length: appsPerProject - 1 }, () => newApp(first))]
  })
}

const settings = { ...defaults, clusterId }

/** Namespaces and accounts first, as every one of the appliers needs it. */
const rendered = (): ReadonlyArray<Manifest> => {
  const projects = new Map(apps.map((app) => [app.namespace, app]))
  return [
    ...[...projects.values()].flatMap((app) => projectManifests(app, settings)),
    ...apps.flatMap((app) => Result.getOrThrow(appManifests(app, settings)))
  ]
}

const deploymentOf = (app: DesiredApp): string =>
  objectPath(
    referenceOf(Result.getOrThrow(appManifests(app, settings)).find(({ kind }) => kind === "Deployment")!)
  )

const wallclock = (performanceMs: number) => performance.timeOrigin + performanceMs

serve(
  {
    url: () => url,
    clusterId: () => clusterId,
    make,
    /** For an agent that shall be at rest first. */
    wantNothing: () => want([]),
    /** Makes the apps the desired state; answers when. */
    want: () => {
      want(apps)
      return wallclock(performance.now())
    },
    /** A new deploy of one app. Its ordinal, and the path of its Deployment. */
    change: (index: number) => {
      const app = nextDeploy(apps[index]!)
      apps = apps.with(index, app)
      want(apps)
      return { deployId: app.deployId, path: deploymentOf(app) }
    },
    /** Paths of the apps' Deployments, in the order of the apps. */
    deployments: () => apps.map(deploymentOf),
    /** Apps whose newest report says that they fail. */
    failing: () => [...statuses.values()].filter(({ phase }) => phase === "failed").length,
    /** When the newest document was answered. */
    answered: () => wallclock([...answeredAt.values()].at(-1) ?? Number.NaN),
    reported: () => statuses.size,
    /** One file with a document for each object, and one with what a program sends. */
    manifests: () => {
      const manifests = rendered()
      const all = join(folder, "all.yaml")
      writeFileSync(all, manifests.map((manifest) => `---\n${JSON.stringify(manifest)}\n`).join(""))
      const patches = join(folder, "patches.json")
      writeFileSync(
        patches,
        JSON.stringify(manifests.map((manifest) => ({ path: objectPath(referenceOf(manifest)), manifest })))
      )
      return { all, patches, objects: manifests.length, routes: collectionPath("HTTPRoute") }
    }
  },
  () => Effect.runPromise(Scope.close(scope, Exit.void))
)
