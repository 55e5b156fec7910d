/** The last lines that a failing pod printed, and what its failing check saw. Fetched once per run of the pod; an answer that fails leaves none. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Requests } from "../kubernetes/KubernetesClient.ts"
import type { Settings } from "../ShuttleConfig.ts"
import type { FailingPod } from "./Seen.ts"

/** @source the report's own limit: `ObservedApp.output` */
const linesMax = 20
const lineLengthMax = 2000
const rememberedMax = 256

/**
 * A wrong answer says more than a connection that was refused while the process was still starting.
 *
 * @source Kubernetes' HTTP prober: "HTTP probe failed with statuscode: 500"
 */
const answered = /statuscode: \d/

export class FailureOutput {
  readonly #client: Pick<Requests, "podLog" | "probeFailures">
  readonly #settings: Pick<Settings, "outputTimeout" | "reconcileInterval" | "statusTick">
  readonly #known = new Map<string, { readonly lines: ReadonlyArray<string>; readonly untilMs: number }>()

  constructor(
    client: Pick<Requests, "podLog" | "probeFailures">,
    settings: Pick<Settings, "outputTimeout" | "reconcileInterval" | "statusTick">
  ) {
    this.#client = client
    this.#settings = settings
  }

  /** Oldest first, at most 20. What the present run printed is preferred when the earlier one printed nothing. */
  readonly of = (pod: FailingPod): Effect.Effect<ReadonlyArray<string>> =>
    Effect.gen({ self: this }, function* () {
      const key = `${pod.namespace}/${pod.name}/${pod.restarts}/${pod.isInPreviousRun}/${pod.isProbed}`
      const nowMs = yield* Clock.currentTimeMillis
      const known = this.#known.get(key)
      if (known !== undefined && known.untilMs > nowMs) return known.lines
      const first = yield* this.#fetch(pod, pod.isInPreviousRun)
      const lines = first.length > 0 ? first : yield* this.#fetch(pod, !pod.isInPreviousRun)
      const seen = pod.isProbed ? yield* this.#probe(pod) : []
      const told = [...lines, ...seen].slice(-linesMax)
      this.#remember(key, told, nowMs)
      return told
    })

  #remember(key: string, lines: ReadonlyArray<string>, nowMs: number): void {
    const oldest = this.#known.keys().next()
    if (this.#known.size >= rememberedMax && oldest.done === false) this.#known.delete(oldest.value)
    const { reconcileInterval, statusTick } = this.#settings
    const keep = lines.length === 0 ? statusTick : reconcileInterval
    this.#known.set(key, { lines, untilMs: nowMs + Duration.toMillis(keep) })
  }

  #probe({ name, namespace }: FailingPod): Effect.Effect<ReadonlyArray<string>> {
    return this.#quietly(
      namespace,
      name,
      Effect.map(this.#client.probeFailures(namespace, name), (failures) => {
        const told = failures.findLast((message) => answered.test(message)) ?? failures.at(-1)
        return told === undefined ? [] : [told]
      })
    )
  }

  #fetch({ name, namespace }: FailingPod, previous: boolean): Effect.Effect<ReadonlyArray<string>> {
    return this.#quietly(namespace, name, this.#client.podLog(namespace, name, linesMax, previous))
  }

  #quietly<E extends { readonly message: string }>(
    namespace: string,
    name: string,
    request: Effect.Effect<ReadonlyArray<string>, E>
  ): Effect.Effect<ReadonlyArray<string>> {
    return request.pipe(
      Effect.timeoutOption(this.#settings.outputTimeout),
      Effect.map((lines) => Option.getOrElse(lines, () => [])),
      Effect.map((lines) => lines.slice(-linesMax).map((line) => line.slice(0, lineLengthMax))),
      Effect.catch((error) =>
        Effect.as(
          Effect.logDebug("No output of a failing pod", {
            pod: `${namespace}/${name}`,
            problem: error.message
          }),
          []
        )
      )
    )
  }
}
