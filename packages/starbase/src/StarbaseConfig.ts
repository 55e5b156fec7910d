/** Settings of one Starbase process. Environment keys are `STARBASE_…`; secrets are redacted. */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/** `api`: entities, git and the API. `worker`: builds. Every process is a runner; each role has shards of its own. */
export const Role = Schema.Literals(["api", "worker", "all"])
export type Role = typeof Role.Type

export interface StarbaseSettings {
  /** What this process is for: `api` has entities, git and the API, `worker` has builds, `all` has both. `--role` wins. */
  readonly role: Role
  /** `postgres://…`; straight to PostgreSQL, no transaction pooler between. */
  readonly databaseUrl: Redacted.Redacted<string>
  /** Connections that this process does its work with; up to seven more hold its shards and listen. */
  readonly databaseConnectionsMax: number
  /** Address and port of the API and of git. */
  readonly host: string
  readonly port: number
  /** Where other runners reach this one, with proof of the key: loopback, or a private address or name of this host. */
  readonly runnerHost: string
  readonly runnerPort: number
  /** Address of this host that the runner's port is bound to: loopback or private; empty is `STARBASE_RUNNER_HOST`. */
  readonly runnerListenHost: string
  /** A runner that has not refreshed its locks for this long has lost them. More than three refreshes. */
  readonly runnerLockExpiry: Duration.Duration
  /** How often a runner refreshes its locks. */
  readonly runnerLockRefresh: Duration.Duration
  /** How often runners look after each other. */
  readonly runnerHealthCheck: Duration.Duration
  /** HTTP requests that this process has in hand, parked ones included; a further one is `Overloaded`. */
  readonly requestsMax: number
  /** Requests that one entity holds, waiting or under way; a further one is `Overloaded`. */
  readonly entityRequestsMax: number
  /** Entities that this process keeps in memory, about 15 kB each; a request for a further one is `Overloaded`. */
  readonly entitiesMax: number
  /** 32 bytes, base64; the same for all processes. Wraps data keys, and gives the runners theirs. */
  readonly masterKey: Redacted.Redacted<string>
  /** SHA-256 (hex) of the operator's token. */
  readonly operatorTokenHash: string
  /** SHA-256 (hex) of a token that opens `/metrics` and nothing else; without it, only the operator's opens it. */
  readonly scrapeTokenHash: Option.Option<string>
  /** Base URL of an OpenTelemetry receiver (OTLP over HTTP) for the traces of deploys; without it there are none. */
  readonly otlpUrl: Option.Option<string>
  /** Folder of blobs, repositories and whatever else is a file. */
  readonly dataDirectory: string
  /** Folder of the hooks' socket; its path must be short (a socket's is at most 107 characters). */
  readonly socketDirectory: string
  /** `PATH` that git is found in and runs with. */
  readonly gitSearchPath: string
  /** Largest push, packed; a larger one is refused and leaves nothing. */
  readonly gitPushBytesMax: number
  /** Files and folders of a commit that is deployed. */
  readonly gitTreeEntriesMax: number
  /** Of all its files, unpacked. */
  readonly gitTreeBytesMax: number
  /** A push that waits says something at least this often. */
  readonly gitHeartbeat: Duration.Duration
  /** From the start of a push's request until its refs are handed over; the upload is in it. */
  readonly gitTokenLife: Duration.Duration
  /** Where people reach this process, e.g. `http://127.0.0.1:4000`; in clone URLs and messages. */
  readonly publicUrl: string
  /** What a person types before the words of the `starform` command. */
  readonly commandLine: string
  /** Where a person finds a valid token; empty where there is no one answer. */
  readonly tokenAdvice: string
  /** What a live app's URL is made of: `<scheme>://<hostname><suffix>`. */
  readonly appScheme: string
  readonly appPortSuffix: string
  /** Appended to generated host names, e.g. `.localhost`. */
  readonly appDomain: string
  /** From the start of a build until it is given up. */
  readonly buildDeadline: Duration.Duration
  /** Outlasts the longest start-up that an app may ask for, so that what is wrong is named before it passes. */
  readonly rolloutDeadline: Duration.Duration
  /** How long the stored messages of a deploy that has ended are kept. More than twice what a deploy may take. */
  readonly messageRetention: Duration.Duration
  /** How long it is kept what operators looked at and did. */
  readonly auditRetention: Duration.Duration
}

export class StarbaseConfig extends Context.Service<StarbaseConfig, StarbaseSettings>()(
  "@starform/starbase/StarbaseConfig"
) {}

/** All that a command beside Starbase needs of its settings. */
export const databaseUrl: Config.Config<Redacted.Redacted<string>> = Config.Redacted("DATABASE_URL").pipe(
  Config.nested("STARBASE")
)

export const config: Config.Config<StarbaseSettings> = Config.all({
  databaseUrl: Config.Redacted("DATABASE_URL"),
  databaseConnectionsMax: Config.Int("DATABASE_CONNECTIONS_MAX").pipe(Config.withDefault(16)),
  host: Config.String("HOST").pipe(Config.withDefault("127.0.0.1")),
  port: Config.Port("PORT").pipe(Config.withDefault(4000)),
  role: Config.schema(Role, "ROLE").pipe(Config.withDefault("all" as const)),
  runnerHost: Config.NonEmptyString("RUNNER_HOST").pipe(Config.withDefault("127.0.0.1")),
  runnerPort: Config.Port("RUNNER_PORT").pipe(Config.withDefault(4001)),
  runnerListenHost: Config.String("RUNNER_LISTEN_HOST").pipe(Config.withDefault("")),
  runnerLockExpiry: Config.Duration("RUNNER_LOCK_EXPIRY").pipe(Config.withDefault(Duration.seconds(5))),
  runnerLockRefresh: Config.Duration("RUNNER_LOCK_REFRESH").pipe(Config.withDefault(Duration.seconds(1))),
  runnerHealthCheck: Config.Duration("RUNNER_HEALTH_CHECK").pipe(Config.withDefault(Duration.seconds(1))),
  requestsMax: Config.Int("REQUESTS_MAX").pipe(Config.withDefault(15_000)),
  entityRequestsMax: Config.Int("ENTITY_REQUESTS_MAX").pipe(Config.withDefault(1024)),
  entitiesMax: Config.Int("ENTITIES_MAX").pipe(Config.withDefault(50_000)),
  masterKey: Config.Redacted("MASTER_KEY"),
  operatorTokenHash: Config.String("OPERATOR_TOKEN_HASH"),
  scrapeTokenHash: Config.option(Config.NonEmptyString("SCRAPE_TOKEN_HASH")),
  otlpUrl: Config.option(Config.NonEmptyString("OTLP_URL")),
  dataDirectory: Config.String("DATA_DIRECTORY"),
  socketDirectory: Config.String("SOCKET_DIRECTORY"),
  gitSearchPath: Config.String("GIT_SEARCH_PATH").pipe(
    Config.withDefault("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
  ),
  gitPushBytesMax: Config.Int("GIT_PUSH_BYTES_MAX").pipe(Config.withDefault(256 * 1024 * 1024)),
  gitTreeEntriesMax: Config.Int("GIT_TREE_ENTRIES_MAX").pipe(Config.withDefault(200_000)),
  gitTreeBytesMax: Config.Int("GIT_TREE_BYTES_MAX").pipe(Config.withDefault(1024 * 1024 * 1024)),
  gitHeartbeat: Config.Duration("GIT_HEARTBEAT").pipe(Config.withDefault(Duration.seconds(4))),
  gitTokenLife: Config.Duration("GIT_TOKEN_LIFE").pipe(Config.withDefault(Duration.minutes(10))),
  publicUrl: Config.String("PUBLIC_URL"),
  commandLine: Config.NonEmptyString("COMMAND_LINE").pipe(Config.withDefault("starform")),
  tokenAdvice: Config.String("TOKEN_ADVICE").pipe(Config.withDefault("")),
  appScheme: Config.String("APP_SCHEME").pipe(Config.withDefault("https")),
  appPortSuffix: Config.String("APP_PORT_SUFFIX").pipe(Config.withDefault("")),
  appDomain: Config.String("APP_DOMAIN").pipe(Config.withDefault(".starform.app")),
  buildDeadline: Config.Duration("BUILD_DEADLINE").pipe(Config.withDefault(Duration.minutes(15))),
  rolloutDeadline: Config.Duration("ROLLOUT_DEADLINE").pipe(Config.withDefault(Duration.minutes(15))),
  messageRetention: Config.Duration("MESSAGE_RETENTION").pipe(Config.withDefault(Duration.days(7))),
  auditRetention: Config.Duration("AUDIT_RETENTION").pipe(Config.withDefault(Duration.days(365)))
}).pipe(Config.nested("STARBASE"))

/**
 * @param role of the command line; `null` leaves it to the environment
 * @errors ConfigError naming the key that is missing or malformed
 */
export const layer = (role: Role | null): Layer.Layer<StarbaseConfig, Config.ConfigError> =>
  Layer.effect(
    StarbaseConfig,
    Effect.map(config, (settings) => (role === null ? settings : { ...settings, role }))
  )

/** With nothing behind them, short of deadlines that hold. */
export const testSettings: StarbaseSettings = {
  databaseUrl: Redacted.make(""),
  databaseConnectionsMax: 8,
  host: "127.0.0.1",
  port: 0,
  role: "all",
  runnerHost: "127.0.0.1",
  runnerPort: 0,
  runnerListenHost: "",
  runnerLockExpiry: Duration.seconds(5),
  runnerLockRefresh: Duration.seconds(1),
  runnerHealthCheck: Duration.seconds(1),
  requestsMax: 15_000,
  entityRequestsMax: 1024,
  entitiesMax: 50_000,
  masterKey: Redacted.make(""),
  operatorTokenHash: "",
  scrapeTokenHash: Option.none(),
  otlpUrl: Option.none(),
  dataDirectory: "/nonexistent",
  socketDirectory: "/nonexistent",
  gitSearchPath: "/usr/bin:/bin",
  gitPushBytesMax: 64 * 1024 * 1024,
  gitTreeEntriesMax: 200_000,
  gitTreeBytesMax: 1024 ** 3,
  gitHeartbeat: Duration.seconds(4),
  gitTokenLife: Duration.minutes(1),
  publicUrl: "http://127.0.0.1",
  commandLine: "starform",
  tokenAdvice: "",
  appScheme: "http",
  appPortSuffix: "",
  appDomain: ".test",
  buildDeadline: Duration.minutes(1),
  rolloutDeadline: Duration.minutes(1),
  messageRetention: Duration.days(7),
  auditRetention: Duration.days(365)
}

/** Settings of a test, which names what it needs. */
export const layerTest = (overrides: Partial<StarbaseSettings>): Layer.Layer<StarbaseConfig> =>
  Layer.succeed(StarbaseConfig, { ...testSettings, ...overrides })
