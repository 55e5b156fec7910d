/** What the runtime knows of one container, in memory. `PodStatus` turns it into the pod's status. */

export interface TerminatedRun {
  readonly exitCode: number
  readonly signal: number | undefined
  /** `Completed`, `Error`, `OOMKilled`, `StartError`, or `Unknown` for a run that an earlier Launchpad took with it. */
  readonly reason: string
  readonly message: string | undefined
  /** Milliseconds since the epoch; `undefined` when unknown. */
  readonly startedAtMs: number | undefined
  readonly finishedAtMs: number
  readonly instanceId: string
}

export type RunState =
  | { readonly _tag: "Waiting"; readonly reason: string; readonly message: string | undefined }
  | { readonly _tag: "Running"; readonly startedAtMs: number; readonly instanceId: string }
  | { readonly _tag: "Terminated"; readonly run: TerminatedRun }

/** Why a running container cannot serve, found by looking at its sockets (INV-RUN-6). */
export interface ListenProblem {
  readonly reason: "WrongPort" | "UnreachableInterface"
  readonly message: string
}

export interface ContainerState {
  readonly name: string
  readonly image: string
  readonly state: RunState
  readonly last: TerminatedRun | undefined
  readonly restartCount: number
  /** The startup probe, if any, has passed. */
  readonly started: boolean
  /** The readiness probe, if any, passes. */
  readonly probedReady: boolean
  readonly listenProblem: ListenProblem | undefined
}

export const initialState = (name: string, image: string): ContainerState => ({
  name,
  image,
  state: { _tag: "Waiting", reason: "ContainerCreating", message: undefined },
  last: undefined,
  restartCount: 0,
  started: false,
  probedReady: false,
  listenProblem: undefined
})

/** An unreachable interface vetoes readiness even where a probe on loopback passes; a wrong port only explains it. */
export const isContainerReady = (container: ContainerState): boolean =>
  container.state._tag === "Running" &&
  container.started &&
  container.probedReady &&
  container.listenProblem?.reason !== "UnreachableInterface"
