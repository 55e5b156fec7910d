/**
 * git's programs on the shared disk, behind the port that starts them. Each is a process of its own: it may end before it
 * did anything or right after, and it goes on when whoever started it does not.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { systemError } from "effect/PlatformError"
import type { Command } from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import type { Chance } from "./Chance.ts"
import type { ModelDisk, Repository } from "./ModelDisk.ts"
import { ask, type Store } from "./Store.ts"
import type { Process } from "./World.ts"

/** How a program ended, and what it printed. */
interface Ended {
  readonly status: number
  readonly output: Uint8Array
  readonly problem: string
}

const encoder = new TextEncoder()

const done = (output: string | Uint8Array = ""): Ended => ({
  status: 0,
  output: typeof output === "string" ? encoder.encode(output) : output,
  problem: ""
})
const failed = (status: number, problem: string): Ended => ({ status, output: new Uint8Array(0), problem })

/** Killed: `output` is what it had printed by then. */
const killed = (output = new Uint8Array(0)): Ended => ({ status: 137, output, problem: "" })

/** The tree of a commit as `git archive` writes it: of one commit always the same bytes. */
export const treeOf = (commit: string): Uint8Array => encoder.encode(`the tree of ${commit}`)

export const subjectOf = (commit: string): string => `change ${commit.slice(0, 7)}`

interface Bundle {
  readonly refs: ReadonlyArray<readonly [ref: string, commit: string]>
  readonly commits: ReadonlyArray<string>
}

const sorted = (refs: ReadonlyMap<string, string>) => [...refs].sort(([a], [b]) => (a < b ? -1 : 1))

export const refsOf = (bundle: Uint8Array): ReadonlyMap<string, string> =>
  new Map((JSON.parse(new TextDecoder().decode(bundle)) as Bundle).refs)

const nobody = "0".repeat(40)

/** Milliseconds that a program holds what it works on; a whole repository is packed or unpacked for longer. */
const workMs = 4
const packMs = { most: 30, large: 2_000 }

export class ModelGit {
  /** Commits that were kept for deploys, by deploy, whatever became of the repository. */
  readonly kept = new Map<string, string>()
  /** Whether git says that it moved a ref, and has not: what a test breaks on purpose. */
  forgets: (ref: string) => boolean = () => false
  private readonly chance: Chance
  readonly disk: ModelDisk
  readonly store: Store

  constructor(disk: ModelDisk, store: Store) {
    this.chance = store.process.world.chance.fork("repositories")
    this.disk = disk
    this.store = store
  }

  /** The repository that git serves has what was pushed, before anybody is asked about its refs. */
  receive(path: string, commits: ReadonlyArray<string>): boolean {
    const repository = this.disk.repositories.get(path)
    for (const commit of commits) repository?.commits.add(commit)
    return repository !== undefined
  }

  private updateRef(
    { refs, commits }: Repository,
    [ref = "", commit = "", from]: ReadonlyArray<string>
  ): Ended {
    const at = refs.get(ref) ?? nobody
    if (from !== undefined && from !== at) {
      return failed(128, `cannot lock ref '${ref}': is at ${at} but expected ${from}`)
    }
    if (!commits.has(commit)) return failed(128, `cannot update ref '${ref}': nonexistent object ${commit}`)
    if (this.forgets(ref)) return done()
    refs.set(ref, commit)
    const deploy = /^refs\/starform\/deploys\/(.+)$/.exec(ref)?.[1]
    if (deploy !== undefined) this.kept.set(deploy, commit)
    this.store.process.world.note("git", `${ref.replace("refs/", "")} is ${commit.slice(0, 7)}`)
    return done()
  }

  /** Of all refs, commit and name; of one, its commit. */
  private forEachRef({ refs }: Repository, [, only]: ReadonlyArray<string>): Ended {
    if (only !== undefined) return done(refs.has(only) ? `${refs.get(only)}\n` : "")
    return done(
      sorted(refs)
        .map(([ref, id]) => `${id} ${ref}\n`)
        .join("")
    )
  }

  private config(repository: Repository): Effect.Effect<Ended> {
    if (repository.isConfigLocked) {
      return Effect.succeed(failed(255, "could not lock config file config: File exists"))
    }
    repository.isConfigLocked = true
    return Effect.sync(() => {
      repository.isConfigLocked = false
      return done()
    }).pipe(Effect.delay(workMs))
  }

  private packing(): number {
    return this.chance.is(0.8) ? this.chance.between(1, packMs.most) : this.chance.between(1, packMs.large)
  }

  private bundle({ refs, commits }: Repository): Effect.Effect<Ended> {
    if (refs.size === 0) return Effect.succeed(failed(128, "Refusing to create empty bundle."))
    const bundle: Bundle = { refs: sorted(refs), commits: [...commits].sort() }
    return Effect.delay(Effect.succeed(done(JSON.stringify(bundle))), this.packing())
  }

  private fetch(repository: Repository, file: string): Effect.Effect<Ended> {
    const bytes = this.disk.files.get(file)
    if (bytes === undefined)
      return Effect.succeed(failed(128, `'${file}' does not appear to be a git repository`))
    const { refs, commits } = JSON.parse(new TextDecoder().decode(bytes)) as Bundle
    this.store.process.world.note("git", `${file} is unpacked`)
    return Effect.sync(() => {
      for (const commit of commits) repository.commits.add(commit)
      for (const [ref, commit] of refs) repository.refs.set(ref, commit)
      return done()
    }).pipe(Effect.delay(this.packing()))
  }

  private init(path: string): Ended {
    if (!this.disk.repositories.has(path)) {
      this.disk.repositories.set(path, { refs: new Map(), commits: new Set(), isConfigLocked: false })
    }
    return done()
  }

  /** `git -C <path> <args>`. */
  private run(path: string, args: ReadonlyArray<string>): Effect.Effect<Ended> {
    if (!this.disk.has(path)) return Effect.succeed(failed(128, `cannot change to '${path}': No such file`))
    const words = args[0] === "-c" ? args.slice(2) : args
    const [verb, ...rest] = words
    if (verb === "init") return Effect.succeed(this.init(path))
    const repository = this.disk.repositories.get(path)
    if (repository === undefined) return Effect.succeed(failed(128, "not a git repository"))
    const commit = rest.at(-1) ?? ""
    const ofCommit = (output: string | Uint8Array) =>
      Effect.succeed(
        repository.commits.has(commit) ? done(output) : failed(128, `Not a valid object name ${commit}`)
      )
    switch (verb) {
      case "config":
        return this.config(repository)
      case "update-ref":
        return Effect.succeed(this.updateRef(repository, rest))
      case "cat-file":
        return ofCommit("commit\n")
      case "log":
        return ofCommit(`${subjectOf(commit)}\n`)
      case "ls-tree":
        return ofCommit(`100644 blob ${commit}      12\tserver.js\0`)
      case "archive":
        return ofCommit(treeOf(commit))
      case "for-each-ref":
        return Effect.succeed(this.forEachRef(repository, rest))
      case "bundle":
        return this.bundle(repository)
      case "fetch":
        return this.fetch(repository, rest.at(-2)!)
      default:
        return Effect.succeed(failed(1, `'${verb}' is not a git command that this model knows`))
    }
  }

  /** Killed before it did anything: nothing. After: half of what it would have printed. */
  private ended(from: Process, path: string, args: ReadonlyArray<string>): Effect.Effect<Ended> {
    let last: Ended = killed()
    const run = Effect.suspend(() => this.run(path, args)).pipe(
      Effect.tap((ended) => Effect.sync(() => (last = ended)))
    )
    return ask<Ended, Ended>(this.store, from, `git ${args[0]}`, run, () => {
      from.world.note("git", `${args.slice(0, 3).join(" ")} is killed`)
      return killed(last.output.slice(0, last.output.length >> 1))
    }).pipe(Effect.catch((ended) => Effect.succeed(ended)))
  }

  private spawn(from: Process) {
    return Effect.fnUntraced(function* (this: ModelGit, command: Command) {
      if (command._tag !== "StandardCommand" || command.command !== "git") {
        return yield* systemError({ _tag: "NotFound", module: "ChildProcess", method: "spawn" })
      }
      const [, path = "", ...args] = command.args.map(String)
      const outcome = yield* Deferred.make<Ended>()
      yield* Effect.forkScoped(
        Effect.flatMap(this.ended(from, path, args), (ended) => Deferred.succeed(outcome, ended))
      )
      const printed = (text: (ended: Ended) => Uint8Array) =>
        Stream.fromEffect(Effect.map(Deferred.await(outcome), text)).pipe(
          Stream.filter((bytes) => bytes.length > 0)
        )
      const [stdout, stderr] = [
        printed(({ output }) => output),
        printed(({ problem }) => encoder.encode(problem))
      ]
      return ChildProcessSpawner.makeHandle({
        pid: ChildProcessSpawner.ProcessId(1),
        exitCode: Effect.map(Deferred.await(outcome), ({ status }) => ChildProcessSpawner.ExitCode(status)),
        isRunning: Effect.map(Deferred.isDone(outcome), (is) => !is),
        kill: () => Effect.void,
        stdin: Sink.drain,
        stdout,
        stderr,
        all: Stream.concat(stdout, stderr),
        getInputFd: () => Sink.drain,
        getOutputFd: () => Stream.empty,
        unref: Effect.succeed(Effect.void)
      })
    }).bind(this)
  }

  layer(from: Process): Layer.Layer<ChildProcessSpawner.ChildProcessSpawner> {
    return Layer.succeed(ChildProcessSpawner.ChildProcessSpawner, ChildProcessSpawner.make(this.spawn(from)))
  }
}
