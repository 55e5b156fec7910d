/** The held document, taken apart by project namespace. Pure. */
import type { DesiredApp, Tombstone } from "@starform/domain/desired/DesiredState"
import type { AppId } from "@starform/domain/ids/AppId"
import type { DeployId, ReleaseId } from "@starform/domain/ids/Ids"
import * as Result from "effect/Result"
import type { Manifest } from "../kubernetes/Manifest.ts"
import { type AppNotRenderable, appManifests } from "../manifests/AppManifests.ts"
import type { ManifestSettings } from "../manifests/ManifestSettings.ts"
import { projectManifests } from "../manifests/ProjectManifests.ts"
import { projectLabels } from "../manifests/ShuttleLabels.ts"
import type { HeldApp, HeldDocument } from "../starbase/DesiredDocument.ts"
import { tombstoneKey } from "../starbase/PruneGate.ts"

/** One app with the objects that it is to consist of. */
export interface RenderedApp {
  readonly appId: AppId
  readonly deployId: DeployId
  readonly releaseId: ReleaseId
  readonly ordinal: number
  readonly hash: string
  readonly manifests: Result.Result<ReadonlyArray<Manifest>, AppNotRenderable>
}

export interface DesiredProject {
  readonly namespace: string
  /** Of what the project has once; `null` while it has no app. */
  readonly labels: Readonly<Record<string, string>> | null
  readonly manifests: ReadonlyArray<Manifest>
  readonly apps: ReadonlyArray<RenderedApp>
  /** Those that may be acted on. */
  readonly tombstones: ReadonlyArray<Tombstone>
  /** The document's gate holds something back; then nothing is pruned but what `tombstones` name. */
  readonly isPruneHeld: boolean
  /** Equal exactly when nothing about the project changed. */
  readonly fingerprint: string
}

/** Renders each entry once, however many documents it is in. */
export class AppRenderer {
  #known = new Map<AppId, RenderedApp>()
  readonly #settings: ManifestSettings

  constructor(settings: ManifestSettings) {
    this.#settings = settings
  }

  render({ app, hash }: HeldApp): RenderedApp {
    const known = this.#known.get(app.appId)
    if (known !== undefined && known.hash === hash) return known
    const { appId, deployId, ordinal, releaseId } = app
    const manifests = appManifests(app, this.#settings)
    const rendered = { appId, deployId, releaseId, ordinal, hash, manifests }
    this.#known.set(appId, rendered)
    return rendered
  }

  /** Forgets every app that is not in the document. */
  keep(document: HeldDocument): void {
    this.#known = new Map([...this.#known].filter(([appId]) => document.apps.has(appId)))
  }

  get settings(): ManifestSettings {
    return this.#settings
  }
}

const groupBy = <A>(items: Iterable<A>, key: (item: A) => string): Map<string, Array<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const item of items) {
    const group = groups.get(key(item))
    if (group === undefined) groups.set(key(item), [item])
    else group.push(item)
  }
  return groups
}

const project = (
  document: HeldDocument,
  renderer: AppRenderer,
  namespace: string,
  held: ReadonlyArray<HeldApp>,
  admitted: ReadonlyArray<Tombstone>
): DesiredProject => {
  const first: DesiredApp | undefined = held[0]?.app
  const isPruneHeld = document.pruneHold !== null
  const isForeignEntry = (app: DesiredApp) => app.projectId !== first?.projectId
  const apps = held.filter(({ app }) => !isForeignEntry(app)).map((entry) => renderer.render(entry))
  return {
    namespace,
    labels: first === undefined ? null : projectLabels(first, renderer.settings.clusterId),
    manifests: first === undefined ? [] : projectManifests(first, renderer.settings),
    apps,
    tombstones: admitted,
    isPruneHeld,
    fingerprint: [
      ...apps.map((app) => `${app.appId} ${app.hash}`),
      ...admitted.map(tombstoneKey),
      String(isPruneHeld)
    ].join("\n")
  }
}

/** Every project that has an app or an admitted tombstone, by namespace. */
export const desiredProjects = (
  document: HeldDocument,
  renderer: AppRenderer
): ReadonlyMap<string, DesiredProject> => {
  const apps = groupBy(document.apps.values(), ({ app }) => app.namespace)
  const admitted = document.tombstones.filter((tombstone) => document.admitted.has(tombstoneKey(tombstone)))
  const tombstones = groupBy(admitted, (tombstone) => tombstone.namespace)
  const namespaces = new Set([...apps.keys(), ...tombstones.keys()])
  return new Map(
    Array.from(namespaces, (namespace) => [
      namespace,
      project(document, renderer, namespace, apps.get(namespace) ?? [], tombstones.get(namespace) ?? [])
    ])
  )
}

/** True when an app of the project cannot be written down: then nothing of the project is pruned. */
export const hasRenderError = (desired: DesiredProject): boolean =>
  desired.apps.some((app) => Result.isFailure(app.manifests))
