/**
 * People with git: each has the whole history of a service, pushes the next change of it, leaves half way or waits for the
 * verdict, and pushes again what nobody answered. What is real of the remote begins where git's own `http-backend` and the
 * socket of its hook end: `GitHttp.locate` for each of the two requests, then `PushSession`.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import { CommitSha } from "@starform/domain/ids/Digest"
import * as GitHttp from "@starform/starbase/git/GitHttp"
import { PushSession, type Verdict } from "@starform/starbase/git/PushSession"
import { type Chance, hashOf } from "./Chance.ts"
import type { Deployment } from "./Deployment.ts"
import { type ModelGit, subjectOf } from "./ModelGit.ts"
import type { Process } from "./World.ts"

/** What is pushed to: `<workspace>/<project>/<service>`, by whom. */
export interface Remote {
  readonly name: string
  readonly token: string
}

/** One change, and what its people know of it. */
export interface PushedCommit {
  readonly remote: string
  readonly commit: string
  readonly branch: string
  /** Nobody waits: the branch moves when it is accepted. */
  readonly isDetached: boolean
  /** How often git sent it. */
  attempts: number
  /** Somebody read that it is accepted. */
  isAccepted: boolean
  /** Somebody read that it is live, not counting who did not wait for it. */
  isLive: boolean
}

/** git's own answers that say to try again, and ours. */
const isTransient = (words: string): boolean =>
  /push again|try again|went away|could not (open|answer)|nothing was accepted/i.test(words)

const commitOf = (seed: number, n: number) =>
  CommitSha.make(
    [0, 1, 2, 3, 4].map((part) => hashOf(`${n} ${part}`, seed).toString(16).padStart(8, "0")).join("")
  )

const nobody = "0".repeat(40)

interface Push {
  readonly change: PushedCommit
  readonly remote: Remote
  readonly history: ReadonlyArray<string>
}

export class GitPushes {
  readonly commits: Array<PushedCommit> = []
  readonly problems: Array<string> = []
  /** Pushes that go on. */
  open = 0
  private readonly histories = new Map<string, Array<string>>()
  private readonly chance: Chance
  private readonly outside: Process
  private readonly deployment: Deployment
  private readonly git: ModelGit

  constructor(outside: Process, deployment: Deployment, git: ModelGit) {
    this.outside = outside
    this.deployment = deployment
    this.git = git
    this.chance = outside.world.chance.fork("git")
  }

  /** git asks who is there, and then sends or fetches; each request may come to another process. */
  private request({ name, token }: Remote, action: string) {
    const url = `http://starbase/git/${name}.git/${action}`
    const request = HttpServerRequest.fromClientRequest(
      HttpClientRequest.get(url, {
        headers: { authorization: `Basic ${Buffer.from(`git:${token}`).toString("base64")}` }
      })
    )
    return GitHttp.locate(request, new URL(url))
  }

  /** The second request: what was pushed is unpacked, and the hook hands its refs over. */
  private send(push: Push, print: (line: string) => void) {
    const { change, history } = push
    return Effect.gen({ self: this }, function* () {
      const session = yield* PushSession
      const { target, repository } = yield* this.request(push.remote, "git-receive-pack")
      const path = `/data/git/${repository.projectId}/${repository.service}.git`
      if (!this.git.receive(path, history)) return "the remote end hung up unexpectedly"
      const ref = `refs/heads/${change.branch}`
      const update = { before: nobody, after: change.commit, ref }
      const printed = (line: string) => Effect.sync(() => print(line))
      return yield* session.run(target, [update], change.isDetached ? ["detach"] : [], printed)
    })
  }

  private attempt(push: Push): Effect.Effect<"over" | "again"> {
    const { world } = this.outside
    const { change } = push
    const what = `git push ${change.commit.slice(0, 7)} to ${change.remote}`
    change.attempts++
    const heard = (answer: ReadonlyArray<Verdict> | string) => {
      const words = typeof answer === "string" ? answer : (answer[0]?.reason ?? null)
      world.note("outside", `${what}: ${words ?? "ok"}`)
      if (words === null && change.branch === "main" && !change.isDetached) change.isLive = true
      return words !== null && isTransient(words) ? ("again" as const) : ("over" as const)
    }
    const print = (line: string) => {
      if (line.includes(subjectOf(change.commit))) change.isAccepted = true
    }
    const asked = this.deployment.visit<unknown, unknown>(
      "look",
      this.request(push.remote, "info/refs?service=git-receive-pack")
    )
    const sent = this.deployment.visit<ReadonlyArray<Verdict> | string, unknown>(
      "push",
      this.send(push, print)
    )
    return asked.pipe(
      Effect.timeout("25 seconds"),
      Effect.andThen(Effect.timeout(sent, "3 minutes")),
      Effect.matchCause({
        onSuccess: heard,
        onFailure: (cause) => {
          const error = cause.reasons.find(Cause.isFailReason)?.error
          const tag = (error as { readonly _tag?: string } | undefined)?._tag
          world.note("outside", `${what}: ${tag ?? String(cause)}`)
          if (tag === undefined && !Cause.hasInterruptsOnly(cause))
            this.problems.push(`${what}: ${String(cause)}`)
          return tag === "NotFound" || tag === "Unauthenticated" ? "over" : "again"
        }
      })
    )
  }

  /** Several people look at a service at once. What they see is git's; a repository that is lost is made for them first. */
  look(remote: Remote): Effect.Effect<void> {
    const asked = this.deployment.visit<unknown, unknown>(
      "look",
      this.request(remote, "info/refs?service=git-upload-pack")
    )
    const one = asked.pipe(Effect.timeout("25 seconds"), Effect.ignore)
    return Effect.all(
      Array.from({ length: 1 + this.chance.below(3) }, () => one),
      { concurrency: "unbounded", discard: true }
    )
  }

  /** One change of a service, pushed until git says how it ended, or its people have had enough. */
  push(remote: Remote): Effect.Effect<void> {
    const { chance } = this
    const { name } = remote
    const history = this.histories.get(name) ?? []
    this.histories.set(name, history)
    const commit = commitOf(this.outside.world.seed, this.commits.length)
    history.push(commit)
    const change: PushedCommit = {
      remote: name,
      commit,
      branch: chance.is(0.1) ? "idea" : "main",
      isDetached: chance.is(0.2),
      attempts: 0,
      isAccepted: false,
      isLive: false
    }
    this.commits.push(change)
    const push: Push = { change, remote, history: [...history] }
    const leavesAfterMs = chance.is(0.15) ? chance.between(5, 8_000) : null
    const attemptsMax = chance.is(0.15) ? 1 : 8
    return Effect.gen({ self: this }, function* () {
      this.open++
      for (let attempts = 0; attempts < attemptsMax; attempts++) {
        const attempt = this.attempt(push)
        const answer =
          leavesAfterMs === null
            ? yield* attempt
            : yield* Effect.map(Effect.timeoutOption(attempt, leavesAfterMs), (heard) =>
                heard._tag === "Some" ? heard.value : chance.is(0.5) ? "again" : "over"
              )
        if (answer === "over") return
        yield* Effect.sleep(chance.between(300, 4_000))
      }
    }).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          this.open--
        })
      )
    )
  }
}
