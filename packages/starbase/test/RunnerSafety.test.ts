import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import * as RunnerSafety from "@starform/starbase/RunnerSafety"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"

const safe = {
  ...StarbaseConfig.testSettings,
  masterKey: Redacted.make(Buffer.alloc(32, 7).toString("base64"))
}

const refused = (change: Partial<typeof safe>) =>
  Effect.map(Effect.flip(RunnerSafety.check({ ...safe, ...change })), ({ setting }) => setting)

describe("check", () => {
  it.effect("accepts loopback and private addresses, and a name with a private address to listen on", () =>
    Effect.gen(function* () {
      for (const runnerHost of [
        "127.0.0.1",
        "10.1.2.3",
        "172.31.0.1",
        "192.168.1.1",
        "100.64.0.9",
        "::1",
        "fd00::1"
      ]) {
        yield* RunnerSafety.check({ ...safe, runnerHost })
      }
      yield* RunnerSafety.check({ ...safe, runnerHost: "starbase-0.internal", runnerListenHost: "10.0.0.5" })
    })
  )

  it.effect("refuses a port that strangers could reach", () =>
    Effect.gen(function* () {
      for (const runnerHost of [
        "0.0.0.0",
        "::",
        "8.8.8.8",
        "172.32.0.1",
        "2001:db8::1",
        "starbase-0.internal"
      ]) {
        assert.strictEqual(yield* refused({ runnerHost }), "STARBASE_RUNNER_HOST")
      }
      for (const runnerListenHost of ["0.0.0.0", "::", "8.8.8.8", "starbase-0.internal"]) {
        assert.strictEqual(yield* refused({ runnerListenHost }), "STARBASE_RUNNER_LISTEN_HOST")
      }
      assert.strictEqual(
        yield* refused({ runnerHost: "8.8.8.8", runnerListenHost: "10.0.0.5" }),
        "STARBASE_RUNNER_HOST"
      )
    })
  )

  it.effect("refuses a key that is none", () =>
    Effect.gen(function* () {
      for (const key of [
        "",
        "short",
        Buffer.alloc(31).toString("base64"),
        Buffer.alloc(33).toString("base64")
      ]) {
        assert.strictEqual(yield* refused({ masterKey: Redacted.make(key) }), "STARBASE_MASTER_KEY")
      }
    })
  )

  it.effect("refuses timers with which two runners could own one shard", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* refused({ runnerLockExpiry: Duration.seconds(3) }),
        "STARBASE_RUNNER_LOCK_EXPIRY"
      )
      assert.strictEqual(
        yield* refused({ runnerLockRefresh: Duration.millis(50) }),
        "STARBASE_RUNNER_LOCK_REFRESH"
      )
      assert.strictEqual(
        yield* refused({ runnerHealthCheck: Duration.seconds(6) }),
        "STARBASE_RUNNER_HEALTH_CHECK"
      )
    })
  )

  it.effect("refuses to forget what may still be asked for", () =>
    Effect.gen(function* () {
      const hours = Duration.hours(1)
      assert.strictEqual(
        yield* refused({ buildDeadline: hours, rolloutDeadline: hours, messageRetention: Duration.hours(6) }),
        "STARBASE_MESSAGE_RETENTION"
      )
      assert.strictEqual(yield* refused({ auditRetention: hours }), "STARBASE_AUDIT_RETENTION")
    })
  )
})
