/** Bare repositories, made when they are first pushed to. */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { CommitSha } from "@starform/domain/ids/Digest"
import type { DeployId, ProjectId } from "@starform/domain/ids/Ids"
import type { Slug } from "@starform/domain/ids/Slug"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { GitConfig } from "./GitConfig.ts"
import * as GitProcess from "./GitProcess.ts"
import * as TreeSurvey from "./TreeSurvey.ts"

export interface RepositoryName {
  readonly projectId: ProjectId
  readonly service: Slug
}

export class GitRepositories extends Context.Service<
  GitRepositories,
  {
    /** Root of all repositories, and the path of one below it. */
    readonly root: string
    readonly pathOf: (name: RepositoryName) => string
    /** Makes it when it is not there, and brings its configuration up to date. */
    readonly ensure: (name: RepositoryName) => Effect.Effect<void, GitProcess.GitFailed>
    /** Keeps a commit for a deploy, whatever becomes of its branch. */
    readonly keep: (
      name: RepositoryName,
      deployId: DeployId,
      commit: CommitSha
    ) => Effect.Effect<void, GitProcess.GitFailed>
    readonly moveBranch: (
      name: RepositoryName,
      ref: string,
      commit: CommitSha
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
    const ready = new Set<string>()
    const turn = Semaphore.makeUnsafe(1)

    const pathOf = ({ projectId, service }: RepositoryName) => join(root, projectId, `${service}.git`)
    const git = (name: RepositoryName, ...args: ReadonlyArray<string>) =>
      GitProcess.run(pathOf(name), env, args).pipe(Effect.provideService(ChildProcessSpawner, spawner))
    const stream = (name: RepositoryName, ...args: ReadonlyArray<string>) =>
      GitProcess.stream(pathOf(name), env, args).pipe(Stream.provideService(ChildProcessSpawner, spawner))
    const fileFailed = (error: { readonly message: string }) =>
      Effect.fail(new GitProcess.GitFailed({ command: "init", output: error.message }))

    const make = Effect.fnUntraced(function* (name: RepositoryName) {
      const path = pathOf(name)
      if (!(yield* fs.exists(join(path, "HEAD")))) {
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

    return GitRepositories.of({
      root,
      pathOf,
      ensure: (name) =>
        // A caller who leaves must not leave half a repository, or git's lock on its configuration.
        Effect.suspend(() =>
          ready.has(pathOf(name)) ? Effect.void : turn.withPermit(Effect.uninterruptible(make(name)))
        ).pipe(Effect.catchTag("PlatformError", fileFailed)),
      keep: (name, deployId, commit) =>
        Effect.asVoid(git(name, "update-ref", `refs/starform/deploys/${deployId}`, commit)),
      moveBranch: (name, ref, commit) => Effect.asVoid(git(name, "update-ref", ref, commit)),
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
