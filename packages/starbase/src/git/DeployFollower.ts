/** Follows an accepted deploy to its end, for a person who waits. Losing it loses nothing but the words. */
import type { AppId } from "@starform/domain/ids/AppId"
import type { CommitSha } from "@starform/domain/ids/Digest"
import { BuildId } from "@starform/domain/ids/Ids"
import { copiesOf, scheduledProcess } from "@starform/domain/model/AppSettings"
import { type Deploy, isTerminal } from "@starform/domain/model/Deploy"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { BuildLog } from "../builds/BuildLog.ts"
import type { AppState } from "../entities/app/AppEntity.ts"
import { EntityClients } from "../entities/EntityClients.ts"
import { GitConfig } from "./GitConfig.ts"
import * as PushOutput from "./PushOutput.ts"

export type Print = (line: string) => Effect.Effect<void>

export interface AcceptedDeploy {
  readonly appId: AppId
  readonly deploy: Deploy
  /** Where the app answers when it is live. */
  readonly urls: ReadonlyArray<string>
  readonly target: PushOutput.CommandTarget
}

export interface EndedDeploy {
  readonly deploy: Deploy
  /** Commit of the deploy that took its place. */
  readonly supersededBy: CommitSha | null
}

export class DeployFollower extends Context.Service<
  DeployFollower,
  {
    /** Prints every phase, the build's log, and a sign of life at least once per heartbeat; ends with the deploy. */
    readonly follow: (accepted: AcceptedDeploy, print: Print) => Effect.Effect<EndedDeploy>
  }
>()("@starform/starbase/git/DeployFollower") {}

/** How long the build's last lines may take after the build has ended. */
const logDrain = Duration.seconds(2)

/** Longest wait of one ask for the deploy's next phase. */
const phaseWait = Duration.seconds(25)

/** Pause after an ask that nobody answered. */
const appAway = Duration.seconds(1)

/** A release without a copy of a `web` process answers at no address, whatever host name its app has. */
const whatRuns = (
  { urls, target }: AcceptedDeploy,
  deploy: Deploy,
  state: AppState | null,
  totalMs: number
): Parameters<typeof PushOutput.live> => {
  const release = state?.releases.find(({ id }) => id === deploy.releaseId)
  if (release === undefined) return [urls, totalMs, target]
  const { processes } = release
  const type = state?.identity?.serviceType ?? "web"
  const scheduled = type === "cron" ? scheduledProcess(processes) : undefined
  const replicas = (process: string) => copiesOf(state?.settings.scale ?? [], type, processes, process)
  const names = (scheduled === undefined ? processes : [scheduled]).map(({ name }): string => name)
  const answers = names.includes("web") && replicas("web") > 0
  return [answers ? urls : [], totalMs, target, names.filter((name) => replicas(name) === 0)]
}

export const layerNoDeps = Layer.effect(
  DeployFollower,
  Effect.gen(function* () {
    const entities = yield* EntityClients
    const logs = yield* BuildLog
    const { heartbeat } = yield* GitConfig

    /**
     * The build's log as it comes: its place in the queue first, then its output. A warning is held until the next
     * line: the last one may be the reason that the build failed, which the end of the push says.
     */
    const tail = Effect.fnUntraced(function* (accepted: AcceptedDeploy, print: Print) {
      let held: string | undefined
      const release = Effect.suspend(() => {
        const text = held
        held = undefined
        return text === undefined ? Effect.void : print(PushOutput.buildLine(text))
      })
      yield* logs.follow(BuildId.make(accepted.deploy.id), 1).pipe(
        Stream.runForEach(({ source, text }) =>
          Effect.andThen(
            release,
            source === "warning"
              ? Effect.sync(() => {
                  held = text
                })
              : print(PushOutput.buildLine(text))
          )
        ),
        Effect.ignore
      )
      return held
    })

    /** Waits for the log's end, but not for long: the deploy is further already. */
    const lastWarning = (tailing: Fiber.Fiber<string | undefined>) =>
      Effect.map(Effect.timeoutOption(Fiber.join(tailing), logDrain), Option.getOrUndefined)

    const nextPhase = ({ appId, deploy }: AcceptedDeploy, seen: number): Effect.Effect<Deploy> => {
      const waitMs = Duration.toMillis(phaseWait)
      const next = entities.app(
        appId,
        (app) => app.AwaitDeploy({ deployId: deploy.id, phasesSeen: seen, waitMs }),
        phaseWait
      )
      return Effect.catch(next, (error) =>
        Effect.logDebug(`push waits: ${error.message}`).pipe(
          Effect.andThen(Effect.sleep(appAway)),
          Effect.as(deploy)
        )
      )
    }

    const stateOf = (appId: AppId) =>
      Effect.orElseSucceed(
        entities.app(appId, (app) => app.GetApp()),
        () => null
      )

    /** What the cluster's agent says of a rollout that is not done. */
    const obstacle = (appId: AppId, deploy: Deploy) =>
      Effect.map(stateOf(appId), (state) =>
        state?.observed?.ordinal === deploy.ordinal ? (state.observed.reason?.message ?? null) : null
      )

    const follow: DeployFollower["Service"]["follow"] = Effect.fnUntraced(function* (accepted, print) {
      let lastMs = yield* Clock.currentTimeMillis
      const say: Print = (line) =>
        Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
          lastMs = nowMs
          return print(line)
        })
      let deploy = accepted.deploy
      let seen = deploy.phases.length
      const startMs = deploy.phases[0]?.atMs ?? lastMs
      const heartbeats = yield* Effect.gen(function* () {
        const nowMs = yield* Clock.currentTimeMillis
        const silentMs = nowMs - lastMs
        if (silentMs >= Duration.toMillis(heartbeat)) {
          const why = deploy.phase === "deploying" ? yield* obstacle(accepted.appId, deploy) : null
          yield* say(PushOutput.still(deploy.phase, nowMs - (deploy.phases.at(-1)?.atMs ?? nowMs), why))
          return yield* Effect.sleep(heartbeat)
        }
        yield* Effect.sleep(Duration.millis(Duration.toMillis(heartbeat) - silentMs))
      }).pipe(Effect.forever, Effect.forkChild)
      let building: Fiber.Fiber<string | undefined> | undefined
      let warning: string | undefined
      while (!isTerminal(deploy.phase)) {
        const next = yield* nextPhase(accepted, seen)
        // One that has ended says so at once: of a restored database, with fewer phases than were seen.
        if (next.phases.length <= seen && !isTerminal(next.phase)) continue
        const entersBuild = next.phases.slice(seen).some(({ phase }) => phase === "building")
        if (building !== undefined && next.phase !== "building") warning = yield* lastWarning(building)
        deploy = next
        yield* Effect.forEach(PushOutput.phases(deploy, seen), say)
        seen = deploy.phases.length
        if (entersBuild) {
          building = yield* Effect.forkChild(tail(accepted, say))
          if (deploy.phase !== "building") warning = yield* lastWarning(building)
        }
      }
      yield* Fiber.interrupt(heartbeats)
      if (warning !== undefined && warning !== deploy.failure?.reason) {
        yield* print(PushOutput.buildLine(warning))
      }
      const endMs = deploy.phases.at(-1)?.atMs ?? startMs
      const state = yield* stateOf(accepted.appId)
      const by = state?.deploys.find(({ id }) => id === deploy.supersededBy)?.commit ?? null
      const words =
        deploy.phase === "deployed"
          ? PushOutput.live(...whatRuns(accepted, deploy, state, endMs - startMs))
          : deploy.failure === null
            ? PushOutput.ended(deploy.phase, by)
            : PushOutput.failure(deploy.failure, state?.live != null)
      yield* Effect.forEach(words, print)
      return { deploy, supersededBy: by }
    }, Effect.scoped)

    return DeployFollower.of({ follow })
  })
)
