import { assert, describe, it } from "@effect/vitest"
import type {
  DesiredApp,
  DesiredAutoscaling,
  DesiredSchedule,
  DesiredVarGroup
} from "@starform/domain/desired/DesiredState"
import { Hostname, Slug } from "@starform/domain/ids/Slug"
import type { Manifest } from "@starform/shuttle/kubernetes/Manifest"
import { keyOf } from "@starform/shuttle/kubernetes/ResourceKind"
import { referenceOf } from "@starform/shuttle/kubernetes/Manifest"
import { appManifests } from "@starform/shuttle/manifests/AppManifests"
import { isolationManifests } from "@starform/shuttle/manifests/NetworkManifests"
import { varGroupManifests } from "@starform/shuttle/manifests/VarGroupManifests"
import { projectManifests } from "@starform/shuttle/manifests/ProjectManifests"
import { defaults } from "@starform/shuttle/ShuttleConfig"
import { Result, Schema } from "effect"
import { clusterId, desiredApp, process, variable, varGroup } from "../fixtures/DesiredApps.ts"
import { schemaProblems } from "../fixtures/PublishedSchema.ts"
import { golden } from "../fixtures/golden.ts"

const settings = { ...defaults, clusterId }

const own = (app: DesiredApp): ReadonlyArray<Manifest> => Result.getOrThrow(appManifests(app, settings))

/** Everything that a project with this one app consists of. */
const render = (app: DesiredApp): ReadonlyArray<Manifest> => [
  ...projectManifests(app, settings),
  ...[...isolationManifests([app], settings), ...varGroupManifests([app], settings)].map(
    ({ manifest }) => manifest
  ),
  ...own(app)
]

const ofKind = (kind: Manifest["kind"], manifests: ReadonlyArray<Manifest>) =>
  manifests.filter((manifest) => manifest.kind === kind)

const scaled: DesiredAutoscaling = { minReplicas: 2, maxReplicas: 10, cpuPercent: 70, memoryPercent: 80 }

const nightly: DesiredSchedule = {
  expression: "30 3 * * *",
  timeZone: "Europe/Berlin",
  concurrency: "forbid"
}

const cron = (overrides: Partial<DesiredApp> = {}): DesiredApp =>
  desiredApp(
    { service: 3 },
    {
      serviceType: "cron",
      serviceName: Slug.make("reports"),
      hostnames: [],
      processes: [process("cron")],
      schedule: nightly,
      ...overrides
    }
  )

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
  ),
  "web-autoscaled": desiredApp(
    {},
    {
      processes: [
        { ...process("web", 1, 8080), autoscaling: scaled },
        { ...process("worker"), autoscaling: { ...scaled, minReplicas: 1, memoryPercent: null } }
      ]
    }
  ),
  "web-with-groups-and-databases": desiredApp(
    {},
    {
      variables: [variable("LOG_LEVEL", "debug", false)],
      varGroups: [
        varGroup(2, 7, [variable("LOG_LEVEL", "info", false), variable("SENTRY_DSN", "dsn", true)], 1),
        varGroup(1, 3, [variable("LOG_LEVEL", "warn", false)], 0)
      ],
      databases: [
        { cidr: "10.8.0.4/32", port: 25060 },
        { cidr: "fd00:8::4/128", port: 5432 }
      ]
    }
  ),
  "cron-nightly": cron(),
  "cron-suspended": cron({
    processes: [process("cron", 0), process("web", 1, 8080)],
    schedule: { expression: "@hourly", timeZone: null, concurrency: "replace" }
  })
}

describe("appManifests", () => {
  for (const [name, app] of Object.entries(cases)) {
    it(`writes ${name} as reviewed`, () => {
      const text = `${JSON.stringify(render(app), null, 2)}\n`
      assert.strictEqual(text, golden(new URL(`./__golden__/${name}.json`, import.meta.url), text))
    })
  }

  for (const [name, app] of Object.entries(cases)) {
    it(`writes ${name} as the published schemas of Kubernetes and the Gateway API have it`, () => {
      for (const manifest of render(app)) assert.deepStrictEqual(schemaProblems(manifest), [])
    })
  }

  it("sees what a strict server would refuse", () => {
    const [deployment] = ofKind("Deployment", own(desiredApp()))
    const spec = { ...Object(deployment!["spec"]), paused: "yes", strategie: {}, selector: undefined }
    assert.deepStrictEqual(schemaProblems({ ...deployment!, spec }), [
      "Deployment.spec.selector is missing",
      "Deployment.spec.paused is no boolean",
      "Deployment.spec.strategie is unknown"
    ])
  })

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
    for (const manifest of Object.values(cases).flatMap(own)) {
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
    const names = [...own(a), ...own(b)].map((manifest) => keyOf(referenceOf(manifest)))
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
        if (kind === "Deployment" || kind === "CronJob") assert.isAtMost(metadata.name.length, 46)
      }
    }
  )

  it("leaves the number of copies of what scales by itself to the cluster (INV-MAN-7)", () => {
    const deployments = ofKind("Deployment", own(cases["web-autoscaled"]!))
    for (const { spec } of deployments) assert.notProperty(spec, "replicas")
    assert.lengthOf(ofKind("HorizontalPodAutoscaler", own(cases["web-autoscaled"]!)), 2)
    for (const { spec } of ofKind("Deployment", own(desiredApp()))) assert.property(spec, "replicas")
  })

  it("limits disruption only where more than one copy is wanted at least", () => {
    const budgets = (app: DesiredApp) =>
      ofKind("PodDisruptionBudget", own(app)).map(({ metadata }) => metadata.name)
    assert.lengthOf(budgets(cases["web-autoscaled"]!), 1)
    assert.lengthOf(budgets(desiredApp({}, { processes: [process("web", 1), process("worker", 2)] })), 1)
    assert.isEmpty(budgets(desiredApp()))
  })

  it("starts pods anew when a shared group changes or is attached otherwise, and only those that read it", () => {
    const [a, b] = [variable("A", "1", false), variable("A", "2", false)]
    const of = (...varGroups: ReadonlyArray<DesiredVarGroup>) => template(own(desiredApp({}, { varGroups })))
    const known = of(varGroup(1, 1, [a], 0), varGroup(2, 1, [b], 1))
    assert.strictEqual(known, of(varGroup(2, 9, [b], 1), varGroup(1, 9, [a], 0)))
    assert.notStrictEqual(known, of(varGroup(1, 1, [a], 1), varGroup(2, 1, [b], 0)))
    assert.notStrictEqual(known, of(varGroup(1, 1, [b], 0), varGroup(2, 1, [b], 1)))
    assert.notStrictEqual(known, template(own(desiredApp())))
  })

  it("gives a process the variables of its groups in the order of attachment, its own last", () => {
    const app = cases["web-with-groups-and-databases"]!
    const [deployment] = ofKind("Deployment", own(app))
    const sources = JSON.stringify(deployment).match(/"(vg-[0-9a-f-]+|[a-z0-9-]*-config-[0-9a-f]+)"/g)
    assert.deepStrictEqual(
      sources?.map((each) => each.slice(1, 4)),
      ["vg-", "vg-", "pro", "vg-"]
    )
    assert.include(sources?.[0], "000000000001")
    assert.include(sources?.[1], "000000000002")
  })

  it("writes a shared group once, at its highest version, whatever the order of the apps (INV-MAN-6)", () => {
    const value = (version: number) => varGroup(1, version, [variable("A", `v${version}`, true)])
    const [older, newer] = [
      desiredApp({ deploy: 9 }, { varGroups: [value(2)] }),
      desiredApp({ service: 2 }, { varGroups: [value(3)] })
    ]
    const twin = desiredApp({ service: 4 }, { varGroups: [varGroup(1, 3, [variable("A", "other", true)])] })
    const secrets = [
      [older, newer, twin],
      [twin, newer, older],
      [newer, older, twin]
    ].map((apps) => varGroupManifests(apps, settings))
    for (const made of secrets) {
      assert.lengthOf(made, 1)
      assert.deepStrictEqual(made[0]!.manifest, secrets[0]![0]!.manifest)
      assert.strictEqual(made[0]!.users.size, 3)
    }
    assert.notInclude(JSON.stringify(secrets), Buffer.from("v2").toString("base64"))
  })

  it("keeps other environments, private ranges and the metadata service out of the world (INV-MAN-8)", () => {
    const policies = isolationManifests(
      [desiredApp(), desiredApp({ environment: "staging" }), desiredApp({ service: 2 })],
      settings
    )
    assert.deepStrictEqual(
      policies.map(({ manifest }) => manifest.metadata.name),
      ["env-isolation-production", "env-isolation-staging"]
    )
    for (const { manifest } of policies) {
      const text = JSON.stringify(manifest)
      for (const range of ["10.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10"]) {
        assert.include(text, range)
      }
    }
    assert.notInclude(JSON.stringify(policies[0]), "staging")
  })

  it("opens an environment's policy to the databases of its own apps alone", () => {
    const databases = [{ cidr: "10.8.0.4/32", port: 25060 }]
    const [production, staging] = isolationManifests(
      [desiredApp({}, { databases }), desiredApp({ environment: "staging" })],
      settings
    )
    assert.include(JSON.stringify(production), "25060")
    assert.notInclude(JSON.stringify(staging), "25060")
  })

  it("refuses an entry that contradicts itself", () => {
    const contradictions: ReadonlyArray<Partial<DesiredApp>> = [
      { processes: [] },
      { processes: [process("web"), process("web")] },
      { variables: [variable("A", "1", false), variable("A", "2", true)] },
      { serviceType: "cron" },
      { serviceType: "cron", schedule: nightly, processes: [process("a"), process("b")] },
      { serviceType: "cron", schedule: nightly, processes: [{ ...process("cron"), autoscaling: scaled }] },
      { schedule: nightly },
      { processes: [{ ...process("web"), autoscaling: { ...scaled, minReplicas: 11 } }] },
      {
        processes: [{ ...process("web"), autoscaling: { ...scaled, cpuPercent: null, memoryPercent: null } }]
      },
      { varGroups: [varGroup(1, 1, []), varGroup(1, 2, [], 5)] },
      { varGroups: [varGroup(1, 1, [], 4), varGroup(2, 1, [], 4)] },
      { varGroups: [varGroup(1, 1, [variable("A", "1", false), variable("A", "2", true)])] },
      { processes: [process("web", -1)] },
      { processes: [process("web", 1, 70_000)] }
    ]
    for (const contradiction of contradictions) {
      const result = appManifests(desiredApp({}, contradiction), settings)
      assert.isTrue(Result.isFailure(result), JSON.stringify(contradiction))
    }
  })
})
