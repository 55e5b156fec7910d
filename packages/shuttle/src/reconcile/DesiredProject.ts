/** The held document, taken apart by project namespace. Pure. */
import type { DesiredApp, Tombstone } from "@starform/domain/desired/DesiredState"
import type { AppId } from "@starform/domain/ids/AppId"
import type { DeployId, ReleaseId } from "@starform/domain/ids/Ids"
import * as Result from "effect/Result"
import type { Manifest } from "../kubernetes/Manifest.ts"
import type { ObservedObject } from "../kubernetes/ObservedObject.ts"
import { type AppNotRenderable, appManifests } from "../manifests/AppManifests.ts"
import type { ManifestSettings } from "../manifests/ManifestSettings.ts"
import { isolationManifests } from "../manifests/NetworkManifests.ts"
import { projectManifests } from "../manifests/ProjectManifests.ts"
import type { SharedManifest } from "../manifests/SharedManifest.ts"
import { projectLabel, projectLabels } from "../manifests/ShuttleLabels.ts"
import { varGroupManifests } from "../manifests/VarGroupManifests.ts"
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
  /** Without these nothing of the project is made. */
  readonly manifests: ReadonlyArray<Manifest>
  /** What several apps need: policies of environments, Secrets of variable groups. */
  readonly shared: ReadonlyArray<SharedManifest>
  readonly apps: ReadonlyArray<RenderedApp>
  /** Those that may be acted on. */
  readonly tombstones: ReadonlyArray<Tombstone>
  /** The document's gate holds something back; then nothing is pruned but what `tombstones` name. */
  readonly isPruneHeld: boolean
  /** Other projects that the document puts into the same namespace: one of all these can have it. */
  readonly rivals: ReadonlyArray<DesiredProject>
  /** Entries of the project that this agent does not understand are in the document. */
  readonly isPartlyUnreadable: boolean
  /** Equal exactly when nothing about the project changed. */
  readonly fingerprint: string
}

/** Renders each entry once, and what a project has once as long as nothing about it changes, however many documents come. */
export class AppRenderer {
  #known = new Map<AppId, RenderedApp>()
  #projects = new Map<string, DesiredProject>()
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

  /** The project of that namespace as it was, if it was the same. */
  project(namespace: string, fingerprint: string, make: () => DesiredProject): DesiredProject {
    const known = this.#projects.get(namespace)
    if (known?.fingerprint === fingerprint) return known
    const made = make()
    this.#projects.set(namespace, made)
    return made
  }

  /** Forgets every app that is not in the document, and every namespace that none names. */
  keep(document: HeldDocument, namespaces: ReadonlySet<string>): void {
    this.#known = new Map([...this.#known].filter(([appId]) => document.apps.has(appId)))
    this.#projects = new Map([...this.#projects].filter(([namespace]) => namespaces.has(namespace)))
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

/** What about a document concerns one namespace. */
interface Parts {
  readonly namespace: string
  readonly held: ReadonlyArray<HeldApp>
  readonly tombstones: ReadonlyArray<Tombstone>
  readonly isPruneHeld: boolean
  readonly isPartlyUnreadable: boolean
}

const fingerprintOf = (parts: Parts): string =>
  [
    ...parts.held.map(({ app, hash }) => `${app.appId} ${hash}`),
    ...parts.tombstones.map(tombstoneKey),
    `${parts.isPruneHeld} ${parts.isPartlyUnreadable}`
  ].join("\n")

const sharedManifests = (
  held: ReadonlyArray<HeldApp>,
  apps: ReadonlyArray<RenderedApp>,
  settings: ManifestSettings
): ReadonlyArray<SharedManifest> => {
  const renderable = new Set(
    apps.filter(({ manifests }) => Result.isSuccess(manifests)).map(({ appId }) => appId)
  )
  const rendered = held.filter(({ app }) => renderable.has(app.appId)).map(({ app }) => app)
  return [
    ...isolationManifests(
      held.map(({ app }) => app),
      settings
    ),
    ...varGroupManifests(rendered, settings)
  ]
}

/** @param held of one project */
const project = (
  renderer: AppRenderer,
  parts: Parts,
  held: ReadonlyArray<HeldApp>,
  rivals: ReadonlyArray<DesiredProject>
): DesiredProject => {
  const first: DesiredApp | undefined = held[0]?.app
  const { settings } = renderer
  const apps = held.map((entry) => renderer.render(entry))
  return {
    namespace: parts.namespace,
    labels: first === undefined ? null : projectLabels(first, settings.clusterId),
    manifests: first === undefined ? [] : projectManifests(first, settings),
    shared: sharedManifests(held, apps, settings),
    apps,
    tombstones: parts.tombstones,
    isPruneHeld: parts.isPruneHeld,
    rivals,
    isPartlyUnreadable: parts.isPartlyUnreadable,
    fingerprint: fingerprintOf(parts)
  }
}

const claims = (renderer: AppRenderer, parts: Parts): DesiredProject => {
  const [first = [], ...others] = groupBy(parts.held, ({ app }) => app.projectId).values()
  return project(
    renderer,
    parts,
    first,
    others.map((held) => project(renderer, parts, held, []))
  )
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
  const unreadable = new Set(Array.from(document.unreadable.keys(), (appId) => appId.split("/", 1)[0]))
  const isUnreadable = (held: ReadonlyArray<HeldApp> = [], gone: ReadonlyArray<Tombstone> = []) =>
    [...held.map(({ app }) => app), ...gone].some(({ projectId }) => unreadable.has(projectId))
  const projects = new Map(
    Array.from(namespaces, (namespace) => {
      const parts: Parts = {
        namespace,
        held: apps.get(namespace) ?? [],
        tombstones: tombstones.get(namespace) ?? [],
        isPruneHeld: document.pruneHold !== null,
        isPartlyUnreadable: isUnreadable(apps.get(namespace), tombstones.get(namespace))
      }
      return [
        namespace,
        renderer.project(namespace, fingerprintOf(parts), () => claims(renderer, parts))
      ] as const
    })
  )
  renderer.keep(document, namespaces)
  return projects
}

/** True when something of the project cannot be written down: then nothing of the project is pruned. */
export const hasRenderError = (desired: DesiredProject): boolean =>
  desired.isPartlyUnreadable ||
  desired.rivals.length > 0 ||
  desired.apps.some((app) => Result.isFailure(app.manifests))

/** The project whose the namespace is: whoever it is marked with, and the first in the document while it is not there. */
export const ownerOf = (desired: DesiredProject, namespace: ObservedObject | undefined): DesiredProject => {
  const owner = [desired, ...desired.rivals].find(
    ({ labels }) =>
      labels !== null && namespace !== undefined && labels[projectLabel] === namespace.labels[projectLabel]
  )
  if (owner === undefined || owner === desired) return desired
  return { ...owner, rivals: [desired, ...desired.rivals].filter((rival) => rival !== owner) }
}
