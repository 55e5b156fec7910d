import { assert, describe, it } from "@effect/vitest"
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import { Hostname, Slug } from "@starform/domain/ids/Slug"
import type { Manifest } from "@starform/shuttle/kubernetes/Manifest"
import { keyOf } from "@starform/shuttle/kubernetes/ResourceKind"
import { referenceOf } from "@starform/shuttle/kubernetes/Manifest"
import { appManifests } from "@starform/shuttle/manifests/AppManifests"
import { projectManifests } from "@starform/shuttle/manifests/ProjectManifests"
import { defaults } from "@starform/shuttle/ShuttleConfig"
import { Result, Schema } from "effect"
import { clusterId, desiredApp, process, variable } from "../fixtures/DesiredApps.ts"
import { golden } from "../fixtures/golden.ts"

const settings = { ...defaults, clusterId }

const render = (app: DesiredApp): ReadonlyArray<Manifest> => [
  ...projectManifests(app, settings),
  ...Result.getOrThrow(appManifests(app, settings))
]

const template = (manifests: ReadonlyArray<Manifest>): string =>
  JSON.stringify(
    manifests
      .filter((manifest) => manifest.kind === "Deployment")
      .map((manifest) => (manifest["spec"] as { readonly template: unknown }).template)
  )

const cases: Readonly<Record<string, DesiredApp>> = {
  "web-plain": desiredApp(),
  "web-with-health-and-variables": desiredApp(
    {},
    {
      healthPath: "/healthz",
      startupSeconds: 20,
      variables: [variable("LOG_LEVEL", "info", false), variable("API_KEY", "s3cret", true)],
      hostnames: [Hostname.make("shop.example.com"), Hostname.make("www.shop.example.com")],
      processes: [process("web", 3, 3000), process("worker", 2)]
    }
  ),
  "worker-in-staging": desiredApp(
    { environment: "staging", service: 2 },
    {
      serviceType: "worker",
      serviceName: Slug.make("mailer"),
      hostnames: [],
      processes: [process("worker", 0)]
    }
  )
}

describe("appManifests", () => {
  for (const [name, app] of Object.entries(cases)) {
    it(`writes ${name} as reviewed`, () => {
      const text = `${JSON.stringify(render(app), null, 2)}\n`
      assert.strictEqual(text, golden(new URL(`./__golden__/${name}.json`, import.meta.url), text))
    })
  }

  it("puts every load-bearing label on what belongs to an app, and the ninth on Secrets (INV-MAN-1)", () => {
    const eight = [
      "managed-by",
      "workspace-id",
      "project-id",
      "environment",
      "service-id",
      "service-name",
      "cluster-id",
      "tier"
    ]
    for (const manifest of Result.getOrThrow(
      appManifests(cases["web-with-health-and-variables"]!, settings)
    )) {
      for (const label of eight)
        assert.property(manifest.metadata.labels, `starform.io/${label}`, keyOf(referenceOf(manifest)))
      assert.strictEqual(manifest.kind === "Secret", "starform.io/var-group-id" in manifest.metadata.labels)
      for (const value of Object.values(manifest.metadata.labels))
        assert.match(value, /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/)
    }
  })

  it("keeps secret values out of everything but the Secret (INV-MAN-5)", () => {
    const app = desiredApp({}, { variables: [variable("API_KEY", "hunter2-value", true)] })
    for (const manifest of render(app)) {
      if (manifest.kind === "Secret") continue
      assert.notInclude(JSON.stringify(manifest), "hunter2-value")
      assert.notInclude(JSON.stringify(manifest), Buffer.from("hunter2-value").toString("base64"))
    }
  })

  it("starts no pod anew when only the number of copies or the deploy changes (INV-MAN-4)", () => {
    const before = desiredApp()
    const scaled = desiredApp({ deploy: 1 }, { processes: [{ ...before.processes[0]!, replicas: 5 }] })
    const deployedAgain = {
      ...desiredApp({ deploy: 2 }),
      releaseId: before.releaseId,
      image: before.image,
      provenance: before.provenance
    }
    assert.strictEqual(template(render(before)), template(render(scaled)))
    assert.strictEqual(template(render(before)), template(render(deployedAgain)))
  })

  it("starts pods anew when release, variables, configuration or restart nonce change (INV-MAN-4)", () => {
    const before = template(render(desiredApp()))
    const changes: ReadonlyArray<Partial<DesiredApp>> = [
      { image: desiredApp({ deploy: 2 }).image },
      { variables: [variable("A", "1", false)] },
      { variables: [variable("A", "2", true)] },
      { healthPath: "/up" },
      { restartNonce: "nonce-2" },
      { processes: [{ ...desiredApp().processes[0]!, memoryMebibytes: 1024 }] }
    ]
    for (const change of changes) {
      assert.notStrictEqual(
        template(render(desiredApp({}, change))),
        before,
        JSON.stringify(Object.keys(change))
      )
    }
  })

  it("keeps a Deployment's selector whatever else changes (INV-MAN-1)", () => {
    const selector = (app: DesiredApp) =>
      JSON.stringify(
        render(app)
          .filter((manifest) => manifest.kind === "Deployment")
          .map((manifest) => (manifest["spec"] as { readonly selector: unknown }).selector)
      )
    const changed = desiredApp({ deploy: 9 }, { tier: "supernova", restartNonce: "other", hostnames: [] })
    assert.strictEqual(selector(desiredApp()), selector(changed))
  })

  it("names things apart whose parts concatenate to the same text (INV-MAN-2)", () => {
    const a = desiredApp({ environment: "a-b", service: 1 }, { serviceName: Slug.make("cc") })
    const b = desiredApp({ environment: "a", service: 2 }, { serviceName: Slug.make("b-cc") })
    const names = [...render(a), ...render(b)]
      .filter((manifest) => manifest.kind !== "Namespace" && manifest.kind !== "ServiceAccount")
      .map((manifest) => keyOf(referenceOf(manifest)))
    assert.strictEqual(new Set(names).size, names.length)
  })

  it.prop(
    "gives every object a name that Kubernetes takes, at every length of its parts",
    [
      Schema.Int.check(Schema.isBetween({ minimum: 2, maximum: 63 })),
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30 })),
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 20 })),
      Schema.Literals(["a", "7", "x-1"])
    ],
    ([service, environment, processLength, seed]) => {
      const text = (length: number) => `${seed}${"abcdefghij".repeat(7)}`.slice(0, length).replace(/-$/, "z")
      const app = desiredApp(
        { environment: text(environment) },
        { serviceName: Slug.make(text(service)), processes: [process(text(processLength), 1, 8080)] }
      )
      for (const manifest of render(app)) {
        const { kind, metadata } = manifest
        const label = /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/
        const subdomain = /^[a-z0-9]([a-z0-9-]{0,251}[a-z0-9])?$/
        assert.match(metadata.name, kind === "HTTPRoute" || kind === "Secret" ? subdomain : label)
        if (kind === "Deployment") assert.isAtMost(metadata.name.length, 46)
      }
    }
  )

  it("refuses an entry that contradicts itself", () => {
    const contradictions: ReadonlyArray<Partial<DesiredApp>> = [
      { processes: [] },
      { processes: [process("web"), process("web")] },
      { variables: [variable("A", "1", false), variable("A", "2", true)] },
      { serviceType: "cron" },
      { processes: [process("web", -1)] },
      { processes: [process("web", 1, 70_000)] }
    ]
    for (const contradiction of contradictions) {
      const result = appManifests(desiredApp({}, contradiction), settings)
      assert.isTrue(Result.isFailure(result), JSON.stringify(contradiction))
    }
  })
})
