/** Settings of the runtime. Only `directory` has no default. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Layer from "effect/Layer"

export interface KubeletSettings {
  /** Logs, pid files, homes and user ids. Must be traversable by apps when Launchpad is root. */
  readonly directory: string
  /** Also the name of the Node object. */
  readonly nodeName: string
  /** First numeric user and group id of a namespace; ids are given out upwards. Used by root only. */
  readonly userIdFirst: number
  /** Real ports of pods come from this range; keep it below the system's ephemeral ports. */
  readonly portFirst: number
  readonly portLast: number
  /** `PATH` of containers whose image sets none. */
  readonly path: string
  /** Delay before the second restart; doubles up to the maximum. The first restart is at once. */
  readonly crashBackOffFirst: Duration.Duration
  readonly crashBackOffMax: Duration.Duration
  /** A container that ran this long starts with a clean record. */
  readonly crashBackOffReset: Duration.Duration
  readonly imageBackOffFirst: Duration.Duration
  readonly imageBackOffMax: Duration.Duration
  /** Pause before a missing Secret or ConfigMap is looked for again. */
  readonly configRetry: Duration.Duration
  /** How long requests in flight may hold up the end of a pod; never more than half of its grace period. */
  readonly drainMax: Duration.Duration
  /** SIGTERM → SIGKILL when Launchpad itself ends, whatever the pod's own grace period. */
  readonly shutdownGrace: Duration.Duration
  /** Current log file and one older, each up to this size. */
  readonly logBytesMax: number
  /** Pause between extra probe attempts in a container's first moments; they count only when they succeed. */
  readonly eagerProbePeriod: Duration.Duration
  readonly eagerProbeWindow: Duration.Duration
  /** How long output may still arrive after a container's last process is gone. */
  readonly outputSettle: Duration.Duration
  /** How often listening sockets of a container that is not ready are read. */
  readonly listenCheckPeriod: Duration.Duration
  /** How often processor time and memory of containers are read (Kubernetes: metrics-server's resolution). */
  readonly usagePeriod: Duration.Duration
  readonly nodeHeartbeat: Duration.Duration
}

export class KubeletConfig extends Context.Service<KubeletConfig, KubeletSettings>()(
  "@starform/launchpad/runtime/KubeletConfig"
) {}

/** Kubernetes' own values where it has one. */
export const defaults: Omit<KubeletSettings, "directory"> = {
  nodeName: "launchpad",
  userIdFirst: 2_000_000,
  portFirst: 20_000,
  portLast: 31_999,
  path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  crashBackOffFirst: Duration.seconds(10),
  crashBackOffMax: Duration.minutes(5),
  crashBackOffReset: Duration.minutes(10),
  imageBackOffFirst: Duration.seconds(10),
  imageBackOffMax: Duration.minutes(5),
  configRetry: Duration.seconds(2),
  drainMax: Duration.seconds(10),
  shutdownGrace: Duration.seconds(5),
  logBytesMax: 10 * 1024 * 1024,
  eagerProbePeriod: Duration.millis(40),
  eagerProbeWindow: Duration.seconds(30),
  outputSettle: Duration.millis(500),
  listenCheckPeriod: Duration.seconds(1),
  usagePeriod: Duration.seconds(15),
  nodeHeartbeat: Duration.minutes(1)
}

export const layer = (
  settings: Partial<KubeletSettings> & { readonly directory: string }
): Layer.Layer<KubeletConfig> => Layer.succeed(KubeletConfig, { ...defaults, ...settings })
