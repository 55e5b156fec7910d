/** Shuttle's manifest against the settings that its code reads: every name, path, port and time agrees. */
import { assert, describe, it } from "@effect/vitest"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import { ConfigProvider, Duration, Effect, Layer } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type ManifestObject, render, root, template } from "./Kustomization.ts"

interface Entry {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: { readonly configMapKeyRef: { readonly name: string; readonly key: string } }
}

interface Container {
  readonly env: ReadonlyArray<Entry>
  readonly ports: ReadonlyArray<{ readonly name: string; readonly containerPort: number }>
  readonly volumeMounts: ReadonlyArray<{
    readonly name: string
    readonly mountPath: string
    readonly readOnly?: boolean
  }>
  readonly livenessProbe: { readonly httpGet: { readonly path: string; readonly port: string } }
  readonly readinessProbe: { readonly httpGet: { readonly path: string; readonly port: string } }
}

interface StatefulSetSpec {
  readonly template: {
    readonly spec: {
      readonly containers: readonly [Container]
      readonly volumes: ReadonlyArray<{
        readonly name: string
        readonly secret: { readonly items: ReadonlyArray<{ readonly path: string }> }
      }>
    }
  }
  readonly volumeClaimTemplates: ReadonlyArray<{ readonly metadata: { readonly name: string } }>
}

const everything = render(template)

const objectOf = (kind: string, name: string): ManifestObject => {
  const found = everything.find((object) => object.kind === kind && object.metadata.name === name)
  if (found === undefined) throw new Error(`no ${kind} ${name}`)
  return found
}

const set = objectOf("StatefulSet", "shuttle")["spec"] as StatefulSetSpec
const [container] = set.template.spec.containers

const environment = Object.fromEntries(
  container.env.map(({ name, value, valueFrom }) => {
    const { key = "", name: map = "" } = valueFrom?.configMapKeyRef ?? {}
    const data = map === "" ? {} : (objectOf("ConfigMap", map)["data"] as Readonly<Record<string, string>>)
    return [name, value ?? data[key] ?? ""]
  })
)

const settings = Effect.runPromise(
  Effect.provide(
    Effect.map(ShuttleConfig.ShuttleConfig, (read) => read),
    ShuttleConfig.layer.pipe(
      Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: environment })))
    )
  )
)

/** Names of every setting, as the page that is generated from the code has them. */
const known = [
  ...readFileSync(join(root, "../../docs/configuration.md"), "utf8").matchAll(/^\| `(STARFORM_[A-Z_]+)`/gm)
].map(([, name = ""]) => name)

describe("Shuttle's manifest", () => {
  it("starts Shuttle: every setting that it needs is there, and no other name", async () => {
    assert.includeMembers(known, Object.keys(environment))
    const read = await settings
    assert.strictEqual(read.clusterId, "00000000-0000-4000-8000-000000000000")
    assert.strictEqual(read.region, "nyc3")
    assert.match(read.starbaseUrl, /^https:/)
  })

  it("gives it the one folder that it writes, on a disk of its own", async () => {
    const { dataDirectory, stateKeyFile } = await settings
    const writable = container.volumeMounts.filter(({ readOnly }) => readOnly !== true)
    assert.deepStrictEqual(
      writable.map(({ mountPath }) => mountPath),
      [dataDirectory]
    )
    assert.deepStrictEqual(
      set.volumeClaimTemplates.map(({ metadata }) => metadata.name),
      writable.map(({ name }) => name)
    )
    assert.isTrue(stateKeyFile.startsWith(`${dataDirectory}/`))
  })

  it("mounts the token's folder, so that a replaced token shows up", async () => {
    const { tokenFile } = await settings
    const [volume] = set.template.spec.volumes
    const mount = container.volumeMounts.find(({ name }) => name === volume?.name)
    assert.strictEqual(tokenFile, `${mount?.mountPath}/${volume?.secret.items[0]?.path}`)
  })

  it("asks where it listens", async () => {
    const { metricsAddress } = await settings
    const [port] = container.ports
    assert.strictEqual(`:${port?.containerPort}`, metricsAddress)
    const { livenessProbe, readinessProbe } = container
    assert.deepStrictEqual(livenessProbe.httpGet, { path: "/healthz", port: port?.name })
    assert.deepStrictEqual(readinessProbe.httpGet, { path: "/readyz", port: port?.name })
  })

  it("has the Gateway that routes attach to, and Envoys that drain for longer than an app ends", async () => {
    const { gatewayName, gatewayNamespace, terminationGrace } = await settings
    assert.strictEqual(objectOf("Gateway", gatewayName).metadata.namespace, gatewayNamespace)
    const { shutdown } = objectOf("EnvoyProxy", gatewayName)["spec"] as {
      readonly shutdown: { readonly drainTimeout: `${number}s` }
    }
    const drain = Duration.seconds(Number.parseInt(shutdown.drainTimeout, 10))
    assert.isTrue(Duration.isGreaterThan(drain, terminationGrace))
  })
})
