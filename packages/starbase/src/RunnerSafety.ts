/** What a runner refuses to start with: timers that let two runners own one shard or forget what runs, and a port that strangers could reach. */
import { BlockList, isIP } from "node:net"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { StarbaseSettings } from "./StarbaseConfig.ts"

/** `setting` is the key that is wrong, as it is written in the environment. */
export class UnsafeRunner extends Schema.TaggedError<UnsafeRunner>()("UnsafeRunner", {
  setting: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `${this.setting}: ${this.problem}`
  }
}

/** Loopback, private use, shared address space, link-local and unique local. @source RFC 1918, 6598, 3927, 4193, 4291 */
const privateAddresses = (() => {
  const list = new BlockList()
  list.addSubnet("127.0.0.0", 8, "ipv4")
  list.addSubnet("10.0.0.0", 8, "ipv4")
  list.addSubnet("172.16.0.0", 12, "ipv4")
  list.addSubnet("192.168.0.0", 16, "ipv4")
  list.addSubnet("100.64.0.0", 10, "ipv4")
  list.addSubnet("169.254.0.0", 16, "ipv4")
  list.addAddress("::1", "ipv6")
  list.addSubnet("fc00::", 7, "ipv6")
  list.addSubnet("fe80::", 10, "ipv6")
  return list
})()

const isPrivate = (address: string): boolean =>
  privateAddresses.check(address, isIP(address) === 6 ? "ipv6" : "ipv4")

const masterKeyBytes = 32

type Checked = Pick<
  StarbaseSettings,
  | "runnerHost"
  | "runnerListenHost"
  | "runnerLockExpiry"
  | "runnerLockRefresh"
  | "runnerHealthCheck"
  | "requestsMax"
  | "entityRequestsMax"
  | "entitiesMax"
  | "buildDeadline"
  | "rolloutDeadline"
  | "messageRetention"
  | "auditRetention"
  | "masterKey"
>

const problems = (settings: Checked): ReadonlyArray<UnsafeRunner> => {
  const { runnerHost, runnerLockExpiry, runnerLockRefresh, runnerHealthCheck } = settings
  const listenHost = listenHostOf(settings)
  const found: Array<UnsafeRunner> = []
  const refuse = (isWrong: boolean, setting: string, problem: string) => {
    if (isWrong) found.push(new UnsafeRunner({ setting: `STARBASE_${setting}`, problem }))
  }
  refuse(
    isIP(listenHost) === 0 || !isPrivate(listenHost),
    settings.runnerListenHost === "" ? "RUNNER_HOST" : "RUNNER_LISTEN_HOST",
    `${listenHost} is no loopback or private address; runners must not be reachable from elsewhere`
  )
  refuse(
    isIP(runnerHost) !== 0 && !isPrivate(runnerHost),
    "RUNNER_HOST",
    `${runnerHost} is no loopback or private address that other runners could reach this one at`
  )
  refuse(
    Buffer.from(Redacted.value(settings.masterKey), "base64").length !== masterKeyBytes,
    "MASTER_KEY",
    `must be ${masterKeyBytes} bytes in base64; the runners prove themselves to each other with it`
  )
  refuse(
    Duration.toMillis(runnerLockExpiry) <= 3 * Duration.toMillis(runnerLockRefresh),
    "RUNNER_LOCK_EXPIRY",
    "must exceed three times RUNNER_LOCK_REFRESH, or one slow refresh hands a living runner's shards to another"
  )
  refuse(
    Duration.toMillis(runnerLockRefresh) < 100,
    "RUNNER_LOCK_REFRESH",
    "must be 100 ms or more; each refresh is a statement of every runner"
  )
  refuse(
    Duration.toMillis(runnerHealthCheck) > Duration.toMillis(runnerLockExpiry),
    "RUNNER_HEALTH_CHECK",
    "must not exceed RUNNER_LOCK_EXPIRY, or a dead runner is noticed later than its locks expire"
  )
  refuse(settings.requestsMax < 16, "REQUESTS_MAX", "must be 16 or more")
  refuse(settings.entityRequestsMax < 16, "ENTITY_REQUESTS_MAX", "must be 16 or more")
  refuse(settings.entitiesMax < 100, "ENTITIES_MAX", "must be 100 or more")
  const { buildDeadline, rolloutDeadline, messageRetention } = settings
  const deployMax = Duration.sum(Duration.sum(buildDeadline, rolloutDeadline), Duration.hours(1))
  refuse(
    Duration.toMillis(messageRetention) <= 2 * Duration.toMillis(deployMax),
    "MESSAGE_RETENTION",
    "must exceed twice BUILD_DEADLINE, ROLLOUT_DEADLINE and an hour, or a deploy is forgotten while it may be asked for"
  )
  refuse(
    Duration.toMillis(settings.auditRetention) < Duration.toMillis(Duration.days(1)),
    "AUDIT_RETENTION",
    "must be a day or more"
  )
  return found
}

/** The address that the runner's port is bound to. */
export const listenHostOf = (settings: Pick<StarbaseSettings, "runnerHost" | "runnerListenHost">): string =>
  settings.runnerListenHost === "" ? settings.runnerHost : settings.runnerListenHost

/** @errors UnsafeRunner for the first setting that is wrong */
export const check = (settings: Checked): Effect.Effect<void, UnsafeRunner> => {
  const first = problems(settings)[0]
  return first === undefined ? Effect.void : Effect.fail(first)
}
