/** Bare repositories: made when they are first pushed to, restored from their bundle when they are lost. */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { CommitSha } from "@starform/domain/ids/Digest"
import type { DeployId } from "@starform/domain/ids/Ids"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { GitConfig } from "./GitConfig.ts"
import * as GitProcess from "./GitProcess.ts"
import { RepositoryBundles } from "./RepositoryBundles.ts"
import { pathIn, type RepositoryName } from "./RepositoryName.ts"
import * as TreeSurvey from "./TreeSurvey.ts"

export class GitRepositories extends Context.Service<
  GitRepositories,
  {
    /** Root of all repositories, and the path of one below it. */
    readonly root: string
    readonly pathOf: (name: RepositoryName) => string
    /** Restores or makes it when it is not there, and brings its configuration up to date. */
    readonly ensure: (name: RepositoryName) => Effect.Effect<void, GitProcess.GitFailed>
    /** Keeps a commit for a deploy, whatever becomes of its branch. */
    readonly keep: (
      name: RepositoryName,
      deployId: DeployId,
      commit: CommitSha
    ) => Effect.Effect<void, GitProcess.GitFailed>
    /** Where a branch is; `null` when there is none. */
    readonly branch: (name: RepositoryName, ref: string) => Effect.Effect<string | null, GitProcess.GitFailed>
    /** @param from where it must be, or nothing is moved: another process may have moved it meanwhile */
    readonly moveBranch: (
      name: RepositoryName,
      ref: string,
      commit: CommitSha,
      from?: string | null
    ) => Effect.Effect<void, GitProcess.GitFailed>
    /** Whether the id is a commit's: a tag or a tree can be pushed to a branch's name as well. */
    readonly isCommit: (name: RepositoryName, id: string) => Effect.Effect<boolean, GitProcess.GitFailed>
    /** Subject line of a commit. */
    readonly subject: (name: RepositoryName, commit: CommitSha) => Effect.Effect<string, GitProcess.GitFailed>
    /** What a commit's tree holds, within the limits of a source (INV-GIT-6). */
    readonly survey: (
      name: RepositoryName,
      commit: CommitSha
    ) => Effect.Effect<TreeSurvey.TreeSurvey, GitProcess.GitFailed>
    /** The tree as a tar, as `git archive` writes it; only of a tree that was surveyed. */
    readonly archive: (
      name: RepositoryName,
      commit: CommitSha
    ) => Stream.Stream<Uint8Array, GitProcess.GitFailed>
  }
>()("@starform/starbase/git/GitRepositories") {}

/** To git: a branch that is not there. */
const nowhere = "0".repeat(40)

const isGitFailed = Schema.is(GitProcess.GitFailed)

const hookProgram = fileURLToPath(new URL("./hooks/procReceive.mjs", import.meta.url))

/** Every ref that is not hidden is handed to the hook. Refs stand for themselves: there is no push of all or nothing. */
const configuration = (pushBytesMax: number): ReadonlyArray<readonly [key: string, value: string]> => [
  ["receive.procReceiveRefs", "refs"],
  ["receive.advertisePushOptions", "true"],
  ["receive.advertiseAtomic", "false"],
  ["receive.maxInputSize", String(pushBytesMax)],
  ["receive.fsckObjects", "true"],
  ["receive.autogc", "false"],
  ["gc.auto", "0"],
  ["http.receivepack", "true"],
  ["http.getanyfile", "false"],
  ["uploadpack.allowFilter", "true"],
  ["transfer.hideRefs", "refs/starform"]
]

export const layerNoDeps = Layer.effect(
  GitRepositories,
  Effect.gen(function* () {
    const settings = yield* GitConfig
    const fs = yield* FileSystem.FileSystem
    const spawner = yield* ChildProcessSpawner
    const root = settings.directory
    const env = GitProcess.environment(settings.searchPath, root)
    const bundles = yield* RepositoryBundles
    const ready = new Set<string>()
    const turns = new Map<string, Semaphore.Semaphore>()

    const pathOf = (name: RepositoryName) => pathIn(root, name)
    const turnOf = (path: string): Semaphore.Semaphore => {
      const turn = turns.get(path) ?? Semaphore.makeUnsafe(1)
      turns.set(path, turn)
      return turn
    }
    const git = (name: RepositoryName, ...args: ReadonlyArray<string>) =>
      GitProcess.run(pathOf(name), env, args).pipe(Effect.provideService(ChildProcessSpawner, spawner))
    const stream = (name: RepositoryName, ...args: ReadonlyArray<string>) =>
      GitProcess.stream(pathOf(name), env, args).pipe(Stream.provideService(ChildProcessSpawner, spawner))
    const failedTo = (command: string) => (error: { readonly message: string }) =>
      isGitFailed(error) ? error : new GitProcess.GitFailed({ command, output: error.message })
    const isThere = (name: RepositoryName) => fs.exists(join(pathOf(name), "HEAD"))

    const make = Effect.fnUntraced(function* (name: RepositoryName) {
      const path = pathOf(name)
      const isWhole =
        (yield* isThere(name)) ||
        (yield* Effect.interruptible(bundles.restore(name)).pipe(Effect.mapError(failedTo("restore"))))
      if (!isWhole) {
        yield* fs.makeDirectory(path, { recursive: true, mode: 0o700 })
        yield* git(name, "init", "--quiet", "--bare", "--initial-branch=main")
      }
      for (const [key, value] of configuration(settings.pushBytesMax)) yield* git(name, "config", key, value)
      const hook = join(path, "hooks", "proc-receive")
      yield* fs.makeDirectory(join(path, "hooks"), { recursive: true })
      yield* fs.writeFileString(hook, `#!/bin/sh\nexec '${settings.nodePath}' '${hookProgram}'\n`, {
        mode: 0o755
      })
      yield* fs.chmod(hook, 0o755)
      ready.add(path)
    })

    /** A caller who leaves must not leave half a repository, or git's lock on its configuration. */
    const ensure = Effect.fnUntraced(
      function* (name: RepositoryName) {
        const path = pathOf(name)
        const isReady = Effect.map(isThere(name), (there) => there && ready.has(path))
        const makeUnlessReady = Effect.flatMap(isReady, (is) => (is ? Effect.void : make(name)))
        if (!(yield* isReady)) yield* turnOf(path).withPermit(Effect.uninterruptible(makeUnlessReady))
      },
      Effect.mapError(failedTo("init"))
    )

    return GitRepositories.of({
      root,
      pathOf,
      ensure,
      keep: (name, deployId, commit) =>
        Effect.asVoid(git(name, "update-ref", `refs/starform/deploys/${deployId}`, commit)),
      branch: (name, ref) =>
        ensure(name).pipe(
          Effect.andThen(git(name, "for-each-ref", "--format=%(objectname)", ref)),
          Effect.map((commit) => (commit === "" ? null : commit))
        ),
      // A git that ended without a word may have moved it.
      moveBranch: (name, ref, commit, from) =>
        Effect.andThen(
          ensure(name),
          git(name, "update-ref", ref, commit, ...(from === undefined ? [] : [from ?? nowhere])).pipe(
            Effect.ensuring(bundles.changed(name)),
            Effect.asVoid
          )
        ),
      isCommit: (name, id) => Effect.map(git(name, "cat-file", "-t", id), (type) => type === "commit"),
      subject: (name, commit) => git(name, "log", "-1", "--format=%s", commit),
      survey: (name, commit) =>
        TreeSurvey.read(
          stream(name, "ls-tree", "-r", "-t", "-l", "-z", "--full-tree", commit),
          settings.treeLimits
        ),
      archive: (name, commit) => stream(name, "archive", "--format=tar", commit)
    })
  })
)
