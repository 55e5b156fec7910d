import { assert, describe, it } from "@effect/vitest"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import { ConfigProvider, Duration, Effect, Layer, Option } from "effect"

const required = {
  STARFORM_STARBASE_URL: "http://127.0.0.1:7000",
  STARFORM_CLUSTER_ID: "c1c1c1c1-0000-4000-8000-000000000001",
  STARFORM_REGION: "nyc3",
  STARFORM_AUTH_TOKEN_FILE: "/run/token"
}

const read = (env: Record<string, string>) =>
  ShuttleConfig.ShuttleConfig.pipe(
    Effect.provide(
      ShuttleConfig.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env }))))
    )
  )

describe("ShuttleConfig", () => {
  it.effect("needs four settings and has defaults for the rest", () =>
    Effect.gen(function* () {
      const settings = yield* read(required)
      assert.strictEqual(settings.region, "nyc3")
      assert.strictEqual(settings.stateKeyFile, "/var/lib/starform-shuttle/state.key")
      assert.isTrue(Option.isNone(settings.kubeconfigFile))
      assert.strictEqual(Duration.toSeconds(settings.reconcileInterval), 30)
      assert.strictEqual(settings.metricsAddress, ":8080")
    })
  )

  it.effect("reads durations as they are written elsewhere", () =>
    Effect.gen(function* () {
      const settings = yield* read({
        ...required,
        STARFORM_RECONCILE_INTERVAL: "500ms",
        STARFORM_WATCH_LIFE: "2m",
        STARFORM_LOG_LEVEL: "debug"
      })
      assert.strictEqual(Duration.toMillis(settings.reconcileInterval), 500)
      assert.strictEqual(Duration.toSeconds(settings.watchLife), 120)
      assert.strictEqual(settings.logLevel, "Debug")
    })
  )

  it.effect("keeps the credential in a file unless it is told a Secret", () =>
    Effect.gen(function* () {
      assert.isTrue(Option.isNone((yield* read(required)).credentialSecret))
      const settings = yield* read({
        ...required,
        STARFORM_CREDENTIAL_SECRET: "starform-system/shuttle-credential"
      })
      assert.deepStrictEqual(Option.getOrThrow(settings.credentialSecret), {
        namespace: "starform-system",
        name: "shuttle-credential"
      })
    })
  )

  it.effect("is alone unless it is told a Lease", () =>
    Effect.gen(function* () {
      assert.isTrue(Option.isNone((yield* read(required)).leaderLease))
      const settings = yield* read({
        ...required,
        STARFORM_LEADER_LEASE: "starform-system/starform-shuttle"
      })
      assert.deepStrictEqual(Option.getOrThrow(settings.leaderLease), {
        namespace: "starform-system",
        name: "starform-shuttle"
      })
    })
  )

  it.effect.each([
    ["STARFORM_CREDENTIAL_SECRET", "shuttle-credential"],
    ["STARFORM_CREDENTIAL_SECRET", "../etc/passwd"],
    ["STARFORM_CREDENTIAL_ROTATION", "monthly"],
    ["STARFORM_LEADER_LEASE", "starform-shuttle"],
    ["STARFORM_LEASE_DURATION", "10s"],
    ["STARFORM_LEASE_DURATION", "15500ms"],
    ["STARFORM_LEASE_RENEW_DEADLINE", "4s"],
    ["STARFORM_LEASE_RENEW_DEADLINE", "15s"],
    ["STARFORM_LEASE_RETRY_PERIOD", "5s"],
    ["STARFORM_LEASE_RETRY_PERIOD", "0s"],
    ["STARFORM_CLUSTER_ID", "not-a-uuid"],
    ["STARFORM_RECONCILE_INTERVAL", "soon"],
    ["STARFORM_STARBASE_URL", "starbase"],
    ["STARFORM_PULL_WAIT", "31s"],
    ["STARFORM_TERMINATION_GRACE", "1s"]
  ])("does not start with %s=%s, and names it", ([key, value]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(read({ ...required, [key!]: value! }))
      assert.include(String(error.message), key!.replace("STARFORM_", ""))
    })
  )
})
