/** Every setting of the agent, from the environment only. Durations are written `500ms`, `30s`, `5m` or `1h`. */
import { Cidr } from "@starform/domain/ids/Cidr"
import { ClusterId } from "@starform/domain/ids/Ids"
import { snapshotAgeDaysMax } from "@starform/domain/observed/PodSnapshot"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { durationOf, durationPattern } from "./internal/durationText.ts"

export interface Settings {
  /** Base URL of Starbase, without a trailing path. */
  readonly starbaseUrl: string
  /** The cluster that this agent is of, as it was registered with Starbase. */
  readonly clusterId: ClusterId
  /** Told in reports and labels. */
  readonly region: string
  /**
   * File with a join token, which the agent exchanges for a credential of its own, or with a credential that somebody else
   * keeps; read again whenever Starbase refuses what the agent has.
   */
  readonly tokenFile: string
  /** `namespace/name` of the Secret that keeps the agent's own credential. Without it: a file in `dataDirectory`. */
  readonly credentialSecret: Option.Option<{ readonly namespace: string; readonly name: string }>
  /** Oldest credential of its own that the agent uses; up to a tenth sooner. */
  readonly credentialRotation: Duration.Duration
  /**
   * `namespace/name` of the Lease by which several agents of one cluster elect the one that writes and reports. Without it this
   * agent is alone: it leads always, and a second one would write beside it.
   */
  readonly leaderLease: Option.Option<{ readonly namespace: string; readonly name: string }>
  /** Without a renewal for so long, as each agent's own clock counts it, another agent takes the lead. Whole seconds. */
  readonly leaseDuration: Duration.Duration
  /** A leader that could not renew its lead for so long writes nothing any more. */
  readonly leaseRenewDeadline: Duration.Duration
  /** How often the lead is renewed, and how often the others look whether it was. */
  readonly leaseRetryPeriod: Duration.Duration
  /** Where the last good document is kept. */
  readonly dataDirectory: string
  /** Key of that document: 32 random bytes as hex; made with mode 0600 when it is missing. `state.key` beside it. */
  readonly stateKeyFile: string
  /** Without it: the service account of its own pod. */
  readonly kubeconfigFile: Option.Option<string>
  /** `host:port` of health and metrics; port 0 lets the system choose. */
  readonly metricsAddress: string
  /** Base URL of an OpenTelemetry receiver (OTLP over HTTP) for the traces of deploys; without it there are none. */
  readonly otlpUrl: Option.Option<string>
  /** `debug`, `info`, `warn` or `error`. */
  readonly logLevel: LogLevel.LogLevel
  /** Full pass of every project, and the rhythm of complete reports. */
  readonly reconcileInterval: Duration.Duration
  /** How often the pods that exist are told; a minute is charged once, however often it is swept. */
  readonly snapshotInterval: Duration.Duration
  /** How often the pods of the whole cluster are counted. */
  readonly capacityInterval: Duration.Duration
  /** Pods that the cluster is to hold at most, as Starbase is told. */
  readonly capacitySoftLimit: number
  /** Snapshots that Starbase has not acknowledged are kept on disk up to these bounds; the oldest go first. */
  readonly snapshotBufferBytesMax: number
  readonly snapshotBufferAgeMax: Duration.Duration
  /** Longest wait asked for in one pull; 0–30 s. */
  readonly pullWait: Duration.Duration
  /** How much later than its wait a pull may answer before its connection counts as dead. */
  readonly pullMargin: Duration.Duration
  /** First and longest pause after a failed request to Starbase; each pause is jittered. */
  readonly starbaseRetryFirst: Duration.Duration
  readonly starbaseRetryMax: Duration.Duration
  /** Longest wait for the answer to a report. */
  readonly reportTimeout: Duration.Duration
  /** Least time between two reports; changes within it go into one. */
  readonly reportDebounce: Duration.Duration
  /** How often a status is looked at again that time alone may change. */
  readonly statusTick: Duration.Duration
  /** Longest wait for the output of a failing pod. */
  readonly outputTimeout: Duration.Duration
  /** Longest wait for the answer to one request to the Kubernetes API. */
  readonly kubernetesRequestTimeout: Duration.Duration
  /** Requests to the Kubernetes API at once at most, watches aside; fewer when the server does not keep up. */
  readonly kubernetesRequestsMax: number
  /** Objects of one page of a list. */
  readonly listPageSize: number
  /** Longest life of one watch, as told to the server. */
  readonly watchLife: Duration.Duration
  /** A watch that is silent for longer is opened again. Longer than `watchLife`, at whose end the server speaks in any case. */
  readonly watchIdle: Duration.Duration
  /** First and longest pause before a failed watch is opened again. */
  readonly watchRetryFirst: Duration.Duration
  readonly watchRetryMax: Duration.Duration
  /** Projects that are worked on at once. */
  readonly projectsAtOnce: number
  /** Pauses after a failed pass of a project. */
  readonly projectRetryFirst: Duration.Duration
  readonly projectRetryMax: Duration.Duration
  /** Passes in a row that repaired drift before the next one waits: somebody else writes the same fields. */
  readonly driftPassesMax: number
  /** A revision with more new tombstones than the larger of these needs a confirmation. */
  readonly pruneCountMax: number
  readonly prunePercentMax: number
  /** The Gateway that routes attach to. */
  readonly gatewayName: string
  readonly gatewayNamespace: string
  /** What apps cannot reach by HTTPS, separated by commas: private ranges, the metadata service, the cluster's own. */
  readonly egressExcept: ReadonlyArray<string>
  /** Longest run of a scheduled process. */
  readonly cronDeadline: Duration.Duration
  /** How late a scheduled run may still begin. */
  readonly cronStartingDeadline: Duration.Duration
  /** How long a container that is ending still serves before its process is told. */
  readonly preStopWait: Duration.Duration
  /** From the request to end until the process is killed; includes `preStopWait`. */
  readonly terminationGrace: Duration.Duration
  /** Beyond an app's own start-up time, until a rollout without progress counts as failed. */
  readonly progressMargin: Duration.Duration
  /** Numeric user and group of app containers; never root. */
  readonly podUser: number
  /** How often a container may end by itself before its release counts as failed. */
  readonly crashesMax: number
  /** How long a pod may listen on a wrong address before its release counts as failed; on none, before that is told. */
  readonly unreachableGrace: Duration.Duration
}

export class ShuttleConfig extends Context.Service<ShuttleConfig, Settings>()(
  "@starform/shuttle/ShuttleConfig"
) {}

type Particular = "starbaseUrl" | "clusterId" | "region" | "tokenFile" | "dataDirectory" | "stateKeyFile"

/** Defaults of everything that is not particular to one cluster. */
export const defaults: Omit<Settings, Particular> = {
  credentialSecret: Option.none(),
  credentialRotation: Duration.hours(30 * 24),
  leaderLease: Option.none(),
  leaseDuration: Duration.seconds(15),
  leaseRenewDeadline: Duration.seconds(10),
  leaseRetryPeriod: Duration.seconds(2),
  kubeconfigFile: Option.none(),
  metricsAddress: ":8080",
  otlpUrl: Option.none(),
  logLevel: "Info",
  reconcileInterval: Duration.seconds(30),
  snapshotInterval: Duration.seconds(60),
  capacityInterval: Duration.seconds(60),
  capacitySoftLimit: 1000,
  snapshotBufferBytesMax: 64 * 1024 * 1024,
  snapshotBufferAgeMax: Duration.hours(144),
  pullWait: Duration.seconds(30),
  pullMargin: Duration.seconds(10),
  starbaseRetryFirst: Duration.millis(200),
  starbaseRetryMax: Duration.seconds(10),
  reportTimeout: Duration.seconds(10),
  reportDebounce: Duration.millis(20),
  statusTick: Duration.seconds(1),
  outputTimeout: Duration.seconds(2),
  kubernetesRequestTimeout: Duration.seconds(15),
  kubernetesRequestsMax: 64,
  listPageSize: 500,
  watchLife: Duration.seconds(25),
  watchIdle: Duration.seconds(28),
  watchRetryFirst: Duration.millis(100),
  watchRetryMax: Duration.seconds(10),
  projectsAtOnce: 16,
  projectRetryFirst: Duration.millis(500),
  projectRetryMax: Duration.seconds(30),
  driftPassesMax: 5,
  pruneCountMax: 5,
  prunePercentMax: 30,
  gatewayName: "starform",
  gatewayNamespace: "envoy-gateway-system",
  egressExcept: [
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1/128",
    "::ffff:0:0/96",
    "fc00::/7",
    "fe80::/10"
  ],
  cronDeadline: Duration.hours(12),
  cronStartingDeadline: Duration.minutes(5),
  preStopWait: Duration.seconds(5),
  terminationGrace: Duration.seconds(30),
  progressMargin: Duration.seconds(60),
  podUser: 10_001,
  crashesMax: 2,
  unreachableGrace: Duration.seconds(10)
}

/** Where it keeps its state when it is not told. */
export const defaultPlaces = {
  dataDirectory: "/var/lib/starform-shuttle",
  stateKeyFile: "/var/lib/starform-shuttle/state.key"
}

const duration = (name: string, fallback: Duration.Duration) =>
  Config.schema(Schema.String.check(Schema.isPattern(durationPattern)), name).pipe(
    Config.map(durationOf),
    Config.withDefault(fallback)
  )
const count = (name: string, fallback: number) =>
  Config.schema(Schema.FiniteFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(1)), name).pipe(
    Config.withDefault(fallback)
  )
const text = (name: string, fallback: string) =>
  Config.NonEmptyString(name).pipe(Config.withDefault(fallback))

/** Kubernetes' own names, a namespace and an object in it. */
const objectName = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/

const object = (name: string) =>
  Config.option(Config.schema(Schema.String.check(Schema.isPattern(objectName)), name)).pipe(
    Config.map(
      Option.map((text) => {
        const [namespace = "", name = ""] = text.split("/")
        return { namespace, name }
      })
    )
  )

const levels: Readonly<Record<string, LogLevel.LogLevel>> = {
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error"
}

const config = Config.all({
  starbaseUrl: Config.schema(Schema.String.check(Schema.isPattern(/^https?:\/\/[^\s/]+$/)), "STARBASE_URL"),
  clusterId: Config.schema(ClusterId, "CLUSTER_ID"),
  region: Config.NonEmptyString("REGION"),
  tokenFile: Config.NonEmptyString("AUTH_TOKEN_FILE"),
  credentialSecret: object("CREDENTIAL_SECRET"),
  credentialRotation: duration("CREDENTIAL_ROTATION", defaults.credentialRotation),
  leaderLease: object("LEADER_LEASE"),
  leaseDuration: duration("LEASE_DURATION", defaults.leaseDuration),
  leaseRenewDeadline: duration("LEASE_RENEW_DEADLINE", defaults.leaseRenewDeadline),
  leaseRetryPeriod: duration("LEASE_RETRY_PERIOD", defaults.leaseRetryPeriod),
  dataDirectory: text("DATA_DIRECTORY", defaultPlaces.dataDirectory),
  stateKeyFile: Config.option(Config.NonEmptyString("STATE_KEY_FILE")),
  kubeconfigFile: Config.option(Config.NonEmptyString("KUBECONFIG")),
  metricsAddress: text("METRICS_ADDR", defaults.metricsAddress),
  otlpUrl: Config.option(Config.NonEmptyString("OTLP_URL")),
  logLevel: Config.Literals(["debug", "info", "warn", "error"], "LOG_LEVEL").pipe(
    Config.withDefault("info" as const),
    Config.map((name) => levels[name] ?? defaults.logLevel)
  ),
  reconcileInterval: duration("RECONCILE_INTERVAL", defaults.reconcileInterval),
  snapshotInterval: duration("SNAPSHOT_INTERVAL", defaults.snapshotInterval),
  capacityInterval: duration("CAPACITY_INTERVAL", defaults.capacityInterval),
  capacitySoftLimit: count("CAPACITY_SOFT_LIMIT", defaults.capacitySoftLimit),
  snapshotBufferBytesMax: count("SNAPSHOT_BUFFER_BYTES_MAX", defaults.snapshotBufferBytesMax),
  snapshotBufferAgeMax: duration("SNAPSHOT_BUFFER_AGE_MAX", defaults.snapshotBufferAgeMax),
  pullWait: duration("PULL_WAIT", defaults.pullWait),
  pullMargin: duration("PULL_MARGIN", defaults.pullMargin),
  starbaseRetryFirst: duration("STARBASE_RETRY_FIRST", defaults.starbaseRetryFirst),
  starbaseRetryMax: duration("STARBASE_RETRY_MAX", defaults.starbaseRetryMax),
  reportTimeout: duration("REPORT_TIMEOUT", defaults.reportTimeout),
  reportDebounce: duration("REPORT_DEBOUNCE", defaults.reportDebounce),
  statusTick: duration("STATUS_TICK", defaults.statusTick),
  outputTimeout: duration("OUTPUT_TIMEOUT", defaults.outputTimeout),
  kubernetesRequestTimeout: duration("KUBERNETES_REQUEST_TIMEOUT", defaults.kubernetesRequestTimeout),
  kubernetesRequestsMax: count("KUBERNETES_REQUESTS_MAX", defaults.kubernetesRequestsMax),
  listPageSize: count("LIST_PAGE_SIZE", defaults.listPageSize),
  watchLife: duration("WATCH_LIFE", defaults.watchLife),
  watchIdle: duration("WATCH_IDLE", defaults.watchIdle),
  watchRetryFirst: duration("WATCH_RETRY_FIRST", defaults.watchRetryFirst),
  watchRetryMax: duration("WATCH_RETRY_MAX", defaults.watchRetryMax),
  projectsAtOnce: count("PROJECTS_AT_ONCE", defaults.projectsAtOnce),
  projectRetryFirst: duration("PROJECT_RETRY_FIRST", defaults.projectRetryFirst),
  projectRetryMax: duration("PROJECT_RETRY_MAX", defaults.projectRetryMax),
  driftPassesMax: count("DRIFT_PASSES_MAX", defaults.driftPassesMax),
  pruneCountMax: count("PRUNE_COUNT_MAX", defaults.pruneCountMax),
  prunePercentMax: count("PRUNE_PERCENT_MAX", defaults.prunePercentMax),
  gatewayName: text("GATEWAY_NAME", defaults.gatewayName),
  gatewayNamespace: text("GATEWAY_NAMESPACE", defaults.gatewayNamespace),
  egressExcept: Config.schema(
    Schema.String.pipe(
      Schema.decodeTo(Schema.Array(Cidr), {
        decode: SchemaGetter.split({ separator: "," }),
        encode: SchemaGetter.transform((ranges: ReadonlyArray<string>) => ranges.join(","))
      })
    ),
    "EGRESS_EXCEPT"
  ).pipe(Config.withDefault(defaults.egressExcept)),
  cronDeadline: duration("CRON_DEADLINE", defaults.cronDeadline),
  cronStartingDeadline: duration("CRON_STARTING_DEADLINE", defaults.cronStartingDeadline),
  preStopWait: duration("PRE_STOP_WAIT", defaults.preStopWait),
  terminationGrace: duration("TERMINATION_GRACE", defaults.terminationGrace),
  progressMargin: duration("PROGRESS_MARGIN", defaults.progressMargin),
  podUser: count("POD_USER", defaults.podUser),
  crashesMax: count("CRASHES_MAX", defaults.crashesMax),
  unreachableGrace: duration("UNREACHABLE_GRACE", defaults.unreachableGrace)
}).pipe(Config.nested("STARFORM"))

/** A setting that contradicts another one; the agent does not start. */
export class ContradictorySetting extends Schema.TaggedError<ContradictorySetting>()("ContradictorySetting", {
  key: Schema.String,
  rule: Schema.String
}) {
  override get message() {
    return `STARFORM_${this.key} ${this.rule}`
  }
}

/** One lost renewal is to cost nobody the lead. */
const renewalsWithinDeadline = 2

const rules: ReadonlyArray<readonly [key: string, rule: string, holds: (settings: Settings) => boolean]> = [
  [
    "SNAPSHOT_BUFFER_AGE_MAX",
    `is shorter than the ${snapshotAgeDaysMax} days after which Starbase takes no snapshot`,
    (s) => Duration.toDays(s.snapshotBufferAgeMax) < snapshotAgeDaysMax
  ],
  [
    "LEASE_DURATION",
    "is whole seconds, at least one",
    (s) => Duration.toMillis(s.leaseDuration) >= 1000 && Duration.toMillis(s.leaseDuration) % 1000 === 0
  ],
  [
    "LEASE_DURATION",
    "is longer than STARFORM_LEASE_RENEW_DEADLINE: what is between them is for writes that are on their way",
    (s) => Duration.isGreaterThan(s.leaseDuration, s.leaseRenewDeadline)
  ],
  [
    "LEASE_RENEW_DEADLINE",
    `is longer than ${renewalsWithinDeadline} times STARFORM_LEASE_RETRY_PERIOD, which is not zero`,
    (s) =>
      Duration.toMillis(s.leaseRetryPeriod) > 0 &&
      Duration.toMillis(s.leaseRenewDeadline) > renewalsWithinDeadline * Duration.toMillis(s.leaseRetryPeriod)
  ],
  ["PULL_WAIT", "is at most 30s", (s) => Duration.toSeconds(s.pullWait) <= 30],
  [
    "TERMINATION_GRACE",
    "is longer than STARFORM_PRE_STOP_WAIT",
    (s) => Duration.isGreaterThan(s.terminationGrace, s.preStopWait)
  ],
  [
    "STARBASE_RETRY_MAX",
    "is at least STARFORM_STARBASE_RETRY_FIRST",
    (s) => Duration.isGreaterThanOrEqualTo(s.starbaseRetryMax, s.starbaseRetryFirst)
  ]
]

const checked = (settings: Settings) => {
  const broken = rules.find(([, , holds]) => !holds(settings))
  return broken === undefined
    ? Effect.succeed(settings)
    : Effect.fail(new ContradictorySetting({ key: broken[0], rule: broken[1] }))
}

/** `STARFORM_<NAME>` as in the reference specification §6.2, and `STARFORM_KUBECONFIG`, `STARFORM_DATA_DIRECTORY`, … */
export const layer: Layer.Layer<ShuttleConfig, Config.ConfigError | ContradictorySetting> = Layer.effect(
  ShuttleConfig
)(
  Effect.gen(function* () {
    const read = yield* config
    return yield* checked({
      ...read,
      stateKeyFile: Option.getOrElse(read.stateKeyFile, () => `${read.dataDirectory}/state.key`)
    })
  })
)

/** The defaults with a local cluster's identity; a test names what it needs. */
export const layerTest = (overrides: Partial<Settings>): Layer.Layer<ShuttleConfig> =>
  Layer.succeed(ShuttleConfig)({
    ...defaults,
    starbaseUrl: "http://127.0.0.1:9",
    clusterId: ClusterId.make("00000000-0000-4000-8000-000000000001"),
    region: "test",
    tokenFile: "/nonexistent/token",
    dataDirectory: "/nonexistent",
    stateKeyFile: "/nonexistent/state.key",
    metricsAddress: "127.0.0.1:0",
    ...overrides
  })
