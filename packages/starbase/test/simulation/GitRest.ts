/** What must be true of git's side once nothing happens any more, read beside every road. */
import * as Effect from "effect/Effect"
import type { AppEvent, AppState } from "@starform/starbase/entities/app/AppState"
import type { PushedCommit } from "./GitPushes.ts"
import { treeOf } from "./ModelGit.ts"
import { branchesOf, pathOf, type SharedFiles } from "./SharedFiles.ts"

/** One app: what it decided, in order, and what came of it. */
export interface AppHistory {
  readonly events: ReadonlyArray<AppEvent>
  readonly state: AppState
}

type Requested = Extract<AppEvent, { readonly _tag: "DeployRequested" }>

const keyOfApp = ({ identity }: AppState) => `${identity?.projectId}/${identity?.serviceSlug}`

const remoteOf = ({ identity }: AppState) =>
  `${identity?.workspaceSlug}/${identity?.projectSlug}/${identity?.serviceSlug}`

const pushesOf = ({ events }: AppHistory): ReadonlyArray<Requested> =>
  events.filter((event): event is Requested => event._tag === "DeployRequested" && event.kind === "push")

/** INV-GIT-2: where a branch must be; `undefined` when no push to it has been live or detached. */
const newestOf = ({ deploys }: AppState, ref: string): string | undefined =>
  deploys
    .filter((deploy) => deploy.kind === "push" && deploy.ref === ref)
    .findLast(({ phase, branchSettled }) => branchSettled || phase === "deployed")?.commit ?? undefined

export interface Broken {
  readonly invariant: string
  readonly what: string
}

const broken = (invariant: string, isBroken: boolean, what: string): ReadonlyArray<Broken> =>
  isBroken ? [{ invariant, what }] : []

const main = "refs/heads/main"

/** Whether a branch was led ahead by a push that nobody waited for, and whose git ended before it said so. */
const isLedAhead = (app: AppHistory, wanted: string, at: string, commits: ReadonlyArray<PushedCommit>) => {
  const order = pushesOf(app).map(({ commit }) => commit as string | null)
  const isDetached = commits.some(({ commit, isDetached: is }) => is && commit === at)
  return isDetached && order.lastIndexOf(at) > order.lastIndexOf(wanted)
}

/** What waits for the sweep of branches, or for a bundle to be written. */
export const waits = (
  apps: ReadonlyArray<AppHistory>,
  files: SharedFiles,
  commits: ReadonlyArray<PushedCommit>
): ReadonlyArray<Broken> => {
  const { disk, lostMoves } = files
  const branches = apps.flatMap((app) => {
    const { state } = app
    const path = pathOf(keyOfApp(state))
    const repository = disk.repositories.get(path)
    const wanted = newestOf(state, main)
    // A deploy outlives its repository; its branch waits for a push that brings the commit back, and is live.
    if (wanted === undefined || repository?.commits.has(wanted) !== true) return []
    const is = repository.refs.get(main)
    const isExcused = lostMoves.has(`${path} ${main} ${wanted}`) || isLedAhead(app, wanted, is ?? "", commits)
    return broken(
      "INV-GIT-2",
      is !== wanted && !isExcused,
      `${path}: main is ${is}, and ${wanted} was live last`
    )
  })
  const bundles = [...disk.repositories].flatMap(([path, { refs }]) => {
    // What a restore that was cut off left aside.
    if (!path.endsWith(".git")) return []
    const wanted = JSON.stringify([...branchesOf(refs)])
    const kept = files.bundled(path)
    if (kept === undefined) return broken("INV-GIT-7", true, `the newest bundle of ${path} is gone`)
    // A bundle that was being written when its repository was lost knows more than the one that began anew.
    const has = JSON.stringify(
      [...kept].filter(([ref, commit]) => refs.has(ref) || !lostMoves.has(`${path} ${ref} ${commit}`))
    )
    return broken("INV-GIT-7", has !== wanted, `${path} has ${wanted}, its bundle ${has}`)
  })
  return [...branches, ...bundles]
}

/** Whatever was accepted is kept, with its source, and is of the service that was pushed to. */
const unkept = (app: AppHistory, files: SharedFiles, pushed: ReadonlyMap<string, PushedCommit>) =>
  pushesOf(app).flatMap(({ deployId, commit, source }) => {
    const change = pushed.get(commit ?? "")
    if (change === undefined || source === null) return []
    const bytes = Effect.runSync(Effect.option(files.blobs.getBytes(source)))
    const isSource = bytes._tag === "Some" && Buffer.from(treeOf(change.commit)).equals(bytes.value)
    const isKept = files.git.kept.get(deployId) === commit
    return [
      ...broken("INV-GIT-1", !isSource, `${deployId} is accepted without its source`),
      ...broken("INV-GIT-1", !isKept, `${deployId} is accepted and its commit not kept`),
      ...broken("INV-GIT-1", change.remote !== remoteOf(app.state), `${deployId} is of another service`)
    ]
  })

/** What its people read of a push is so. */
const untrue = (change: PushedCommit, apps: ReadonlyArray<AppHistory>) => {
  const { remote, commit, attempts, isAccepted, isLive } = change
  const ofRemote = apps.filter(({ state }) => remoteOf(state) === remote)
  const deploys = ofRemote.flatMap(pushesOf).filter((deploy) => deploy.commit === commit)
  const ids = new Set<string>(deploys.map(({ deployId }) => deployId))
  const wasLive = ofRemote.some(({ events }) =>
    events.some((event) => event._tag === "DeployLive" && ids.has(event.deployId))
  )
  const what = `${commit} to ${remote}`
  return [
    ...broken("INV-GIT-1", isAccepted && ids.size === 0, `${what} was said to be accepted, and is no deploy`),
    ...broken("INV-GIT-1", ids.size > attempts, `${what}: ${ids.size} deploys of ${attempts} pushes`),
    ...broken("INV-GIT-2", isLive && !wasLive, `${what} was said to be live, and never was`)
  ]
}

/** What must hold of every push, whenever one looks. */
export const violations = (
  apps: ReadonlyArray<AppHistory>,
  files: SharedFiles,
  commits: ReadonlyArray<PushedCommit>
): ReadonlyArray<Broken> => {
  const pushed = new Map(commits.map((change) => [change.commit, change]))
  return [
    ...apps.flatMap((app) => unkept(app, files, pushed)),
    ...commits.flatMap((change) => untrue(change, apps))
  ]
}
