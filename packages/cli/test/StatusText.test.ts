import { assert, describe, it } from "@effect/vitest"
import * as AppId from "@starform/domain/ids/AppId"
import { CommitSha, Digest, ImageReference } from "@starform/domain/ids/Digest"
import { BuildId, DeployId, ProjectId, ReleaseId, ServiceId } from "@starform/domain/ids/Ids"
import { EnvironmentName, ProcessName } from "@starform/domain/ids/Slug"
import type { Deploy } from "@starform/domain/model/Deploy"
import type { Release } from "@starform/domain/model/Release"
import type { AppStatus } from "@starform/domain/protocol/AppRpcs"
import { plain } from "@starform/cli/output/Paint"
import { statusLines } from "@starform/cli/output/StatusText"

const id = (n: number) => `0198c0de-0000-7000-8000-${n.toString().padStart(12, "0")}`
const digest = Digest.make(`sha256:${"a".repeat(64)}`)
const nowMs = 1_700_000_000_000

const processOf = (name: string) => ({ name: ProcessName.make(name), command: ["node"] })

const releaseOf = (number: number): Release => ({
  id: ReleaseId.make(id(number)),
  number,
  image: ImageReference.make(`local/app@${digest}`),
  digest,
  processes: [processOf("web")],
  provenance: {
    buildId: BuildId.make(id(number)),
    gitSha: CommitSha.make("1f0c2ab".padEnd(40, "0")),
    gitRef: "refs/heads/main",
    gitRepo: "acme/shop/api"
  },
  createdAtMs: nowMs
})

const deployOf = (release: Release, fields: Partial<Deploy>): Deploy => ({
  id: DeployId.make(id(90)),
  ordinal: 4,
  kind: "push",
  phase: "deployed",
  phases: [{ phase: "pending", atMs: nowMs - 65_000 }],
  commit: release.provenance.gitSha,
  ref: "refs/heads/main",
  releaseId: release.id,
  failure: null,
  supersededBy: null,
  ...fields
})

const observedAs = (
  phase: NonNullable<AppStatus["observed"]>["phase"],
  ready: number,
  fields: Partial<NonNullable<AppStatus["observed"]>> = {}
): AppStatus["observed"] => ({
  isOfLive: true,
  phase,
  reason: null,
  processes: [
    { name: ProcessName.make("web"), desiredReplicas: 2, readyReplicas: ready, updatedReplicas: 2 }
  ],
  sinceMs: nowMs - 3_600_000,
  ...fields
})

const shown = (fields: Partial<AppStatus>): string =>
  statusLines(plain, {
    name: "shop/api",
    branch: "main",
    releases: [releaseOf(2), releaseOf(1)],
    nowMs,
    line: (words) => `npm run starform -- ${words} -a shop/api`,
    status: {
      appId: AppId.format({
        projectId: ProjectId.make(id(1)),
        environment: EnvironmentName.make("production"),
        serviceId: ServiceId.make(id(2))
      }),
      hostnames: [],
      urls: ["https://api-shop.example"],
      live: null,
      deploy: null,
      observed: null,
      scale: [{ process: ProcessName.make("web"), replicas: 2 }],
      health: { path: null, startupSeconds: 60 },
      ...fields
    }
  }).join("\n")

describe("statusLines of what runs on a schedule", () => {
  const live = releaseOf(2)
  const scheduled: Partial<AppStatus> = {
    live: { ...live, processes: [processOf("cron")] },
    deploy: deployOf(live, {}),
    urls: [],
    hostnames: [],
    scale: [{ process: ProcessName.make("cron"), replicas: 1 }],
    schedule: { expression: "30 3 * * 1-5", timeZone: "Europe/Berlin", concurrency: "forbid" },
    observed: observedAs("available", 0, {
      processes: [
        { name: ProcessName.make("cron"), desiredReplicas: 1, readyReplicas: 1, updatedReplicas: 1 }
      ],
      reason: { code: "RunFailed", message: "the run of 2026-01-01T02:00:00Z exited with status 3" }
    })
  }

  it("says when it runs, how many runs there are, and how the last one failed, and is live", () => {
    const text = shown(scheduled)
    assert.include(text, "is live")
    assert.include(text, "30 3 * * 1-5 (Europe/Berlin, skipped while one runs)")
    assert.match(text, /RUNNING\n.*cron\s+1$/m)
    assert.include(text, "exited with status 3")
  })

  it("says that it runs no copies when it is suspended", () => {
    assert.include(
      shown({ ...scheduled, scale: [{ process: ProcessName.make("cron"), replicas: 0 }] }),
      "runs no copies"
    )
  })
})

describe("StatusText", () => {
  it("says that the first release is being built, and shows no URL that nobody answers", () => {
    const text = shown({ deploy: deployOf(releaseOf(1), { phase: "building", releaseId: null }) })
    assert.match(text, /^● shop\/api is not live yet: the first release is being built/)
    assert.notInclude(text, "https://")
    assert.include(text, "npm run starform -- logs -f -a shop/api   follows it")
  })

  it("says that the first deploy failed, why, and what to do about it", () => {
    const failure = {
      phase: "building",
      code: "InstallFailed",
      reason: "npm ci ended with status 1",
      advice: "Run it on your machine.",
      output: ["npm error"]
    } as const
    const text = shown({ deploy: deployOf(releaseOf(1), { phase: "failed", failure, releaseId: null }) })
    assert.match(text, /is not live: the newest deploy failed/)
    assert.include(text, "✗ Failed while building: npm ci ended with status 1 (InstallFailed)")
    assert.include(text, "Run it on your machine.")
    assert.include(text, "│ npm error")
  })

  it("says that a live release has lost pods, and why", () => {
    const reason = { code: "CrashLoop", message: "web ended with status 1" }
    const text = shown({
      live: releaseOf(2),
      deploy: deployOf(releaseOf(2), {}),
      observed: observedAs("degraded", 1, { reason })
    })
    assert.match(text, /is live, but not all of it is ready/)
    assert.include(text, "✗ web ended with status 1 (CrashLoop)")
    assert.include(text, "web       1/2")
    assert.include(text, "degraded for 1 h")
    assert.include(text, "npm run starform -- rollback -a shop/api   goes back")
    assert.include(text, "npm run starform -- restart -a shop/api starts")
  })

  it("says that an app is down when the live release has no pod left", () => {
    const text = shown({
      live: releaseOf(2),
      deploy: deployOf(releaseOf(2), {}),
      observed: observedAs("failed", 0)
    })
    assert.match(text, /^● shop\/api is down/)
  })

  it("never calls an app down for a rollout that fails while the release before it serves", () => {
    const text = shown({
      live: releaseOf(1),
      deploy: deployOf(releaseOf(2), { phase: "deploying" }),
      observed: observedAs("failed", 0, { isOfLive: false })
    })
    assert.match(text, /^● shop\/api is live, and a push is being rolled out: release 1 still serves/)
    assert.include(text, "NEW COPIES   READY")
    assert.include(text, "Release   release 1")
    assert.include(text, "of        release 2")
    assert.include(text, "Rollout   failed for 1 h")
  })
  it("says that the copies before still serve while new settings of the same release are rolled out", () => {
    const text = shown({
      live: releaseOf(2),
      deploy: deployOf(releaseOf(2), { phase: "deploying", kind: "configure" }),
      observed: observedAs("progressing", 0, { isOfLive: false })
    })
    assert.match(text, /is live, and new settings are being rolled out: the copies before still serve/)
    assert.include(text, "web          0/2")
  })

  it("never calls an app live whose live release has no copy that is ready yet", () => {
    const text = shown({
      live: releaseOf(2),
      deploy: deployOf(releaseOf(2), {}),
      observed: observedAs("progressing", 0)
    })
    assert.match(text, /^● shop\/api does not serve yet: its copies are starting/)
  })

  it("says that an app runs no copies, and what starts one", () => {
    const text = shown({
      live: releaseOf(2),
      deploy: deployOf(releaseOf(2), {}),
      observed: observedAs("available", 0),
      scale: [{ process: ProcessName.make("web"), replicas: 0 }]
    })
    assert.match(text, /^○ shop\/api runs no copies/)
    assert.include(text, "scale web=1 -a shop/api   starts one")
  })

  it("says that nothing answers at the URL when only other processes run", () => {
    const live = { ...releaseOf(2), processes: ["web", "worker"].map((name) => processOf(name)) }
    const text = shown({
      live,
      deploy: deployOf(live, {}),
      observed: observedAs("available", 1),
      scale: [
        { process: ProcessName.make("web"), replicas: 0 },
        { process: ProcessName.make("worker"), replicas: 1 }
      ]
    })
    assert.match(text, /is live, but web runs no copies: nothing answers at its URL/)
  })
})
