/** What can go wrong with the embedded server; each error is one reaction of the person who started it. */
import * as Schema from "effect/Schema"

/** Another process listens on the port. */
export class PortTaken extends Schema.TaggedError<PortTaken>()("PortTaken", {
  host: Schema.String,
  port: Schema.Int
}) {
  override get message() {
    return `port ${this.port} on ${this.host} is taken by another process`
  }
}

/** A living process already runs a server on this directory. */
export class DataDirectoryInUse extends Schema.TaggedError<DataDirectoryInUse>()("DataDirectoryInUse", {
  directory: Schema.String,
  pid: Schema.Int
}) {
  override get message() {
    return `${this.directory} is in use by process ${this.pid}`
  }
}

/** The directory cannot hold the data: rights, another major version, or not a cluster. */
export class DataDirectoryUnusable extends Schema.TaggedError<DataDirectoryUnusable>()(
  "DataDirectoryUnusable",
  {
    directory: Schema.String,
    reason: Schema.String,
    cause: Schema.optionalKey(Schema.Defect())
  }
) {
  override get message() {
    return `${this.directory} cannot hold the database: ${this.reason}`
  }
}

/** The server's programs are not installed, or this machine cannot execute them. */
export class BinaryMissing extends Schema.TaggedError<BinaryMissing>()("BinaryMissing", {
  /** Operating system and processor, as in the package name. */
  platform: Schema.String,
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return `no PostgreSQL for ${this.platform}: ${this.reason}`
  }
}

/** Under root, and the machine has no unprivileged user that the server could run as. */
export class NoUnprivilegedUser extends Schema.TaggedError<NoUnprivilegedUser>()("NoUnprivilegedUser", {
  tried: Schema.Array(Schema.String)
}) {
  override get message() {
    return `PostgreSQL refuses to run as root and none of these users exists: ${this.tried.join(", ")}`
  }
}

/** A step of the start failed or took too long. */
export class StartFailed extends Schema.TaggedError<StartFailed>()("StartFailed", {
  step: Schema.Literals(["initdb", "postgres", "login", "database"]),
  reason: Schema.String,
  lastLines: Schema.Array(Schema.String),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return [`PostgreSQL did not start (${this.step}): ${this.reason}`, ...this.lastLines].join("\n  ")
  }
}

/** The server ended although nobody asked it to. */
export class ServerEnded extends Schema.TaggedError<ServerEnded>()("ServerEnded", {
  pid: Schema.Int,
  status: Schema.String,
  lastLines: Schema.Array(Schema.String)
}) {
  override get message() {
    return [`PostgreSQL (process ${this.pid}) ended with ${this.status}`, ...this.lastLines].join("\n  ")
  }
}

/** Everything that building the layer can fail with. */
export type PostgresStartError =
  | PortTaken
  | DataDirectoryInUse
  | DataDirectoryUnusable
  | BinaryMissing
  | NoUnprivilegedUser
  | StartFailed
