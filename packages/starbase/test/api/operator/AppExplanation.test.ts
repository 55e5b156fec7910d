import { assert, describe, it } from "@effect/vitest"
import * as Revision from "@starform/domain/ids/Revision"
import type { Deploy, DeployPhase } from "@starform/domain/model/Deploy"
import type { EntityActivity } from "@starform/domain/protocol/OperatorRpcs"
import { explain } from "@starform/starbase/api/operator/why/AppExplanation"
import type { AppFacts, ClusterFacts } from "@starform/starbase/api/operator/why/AppFacts"
import * as Specimens from "../../entities/Specimens.ts"

const nowMs = 1_800_000_000_000
const [second, minute] = [1_000, 60_000]
const appId = Specimens.appId(1)
const clusterId = Specimens.clusterId(1)
const deployId = Specimens.deployId(2)

const incarnation = {
  sinceMs: nowMs - 10 * minute,
  sequence: 7,
  waiting: 0,
  waitingOldestMs: null,
  inFlightCount: 0,
  inFlight: [],
  errors: []
}

const resident = (type: "App" | "Cluster"): EntityActivity => ({
  type,
  id: type === "App" ? appId : clusterId,
  shardGroup: "default",
  shard: 17,
  owner: "10.0.0.1:4001",
  status: "resident",
  incarnation
})

const away = (type: "App" | "Cluster"): EntityActivity => ({
  ...resident(type),
  status: "away",
  incarnation: null
})

const order: ReadonlyArray<DeployPhase> = ["pending", "building", "built", "deploying", "deployed"]

/** A push that has been in `phase` for `ageMs`. */
const deployIn = (phase: DeployPhase, ageMs: number, fields: Partial<Deploy> = {}): AppFacts["deploy"] => {
  const through = order.includes(phase)
    ? order.slice(0, order.indexOf(phase) + 1)
    : ["pending" as const, phase]
  return {
    id: deployId,
    ordinal: 5,
    kind: "push",
    phase,
    phases: through.map((entered) => ({
      phase: entered,
      atMs: entered === phase ? nowMs - ageMs : nowMs - ageMs - minute
    })),
    commit: null,
    ref: null,
    releaseId: null,
    failure: null,
    supersededBy: null,
    requestedAtMs: nowMs - ageMs - minute,
    ...fields
  }
}

const cluster: ClusterFacts = {
  id: clusterId,
  name: "local",
  revision: Revision.format({ epoch: "0a0b0c0d", n: 9 }),
  epochConfirmed: true,
  entry: { ordinal: 5, n: 9 },
  agent: { revision: Revision.format({ epoch: "0a0b0c0d", n: 9 }), seenAtMs: nowMs - second },
  activity: resident("Cluster"),
  outbox: null
}

const healthy: AppFacts = {
  appId,
  nowMs,
  deploy: deployIn("deployed", minute),
  live: { release: 3, ordinal: 5 },
  copies: 1,
  observed: { ordinal: 5, phase: "available", reason: null, sinceMs: nowMs - minute },
  limits: { buildMs: 15 * minute, rolloutMs: 15 * minute, graceMs: 30 * minute },
  build: null,
  workflow: null,
  outbox: null,
  activity: resident("App"),
  cluster
}

const building: AppFacts = {
  ...healthy,
  deploy: deployIn("building", 2 * minute),
  workflow: "waiting",
  build: { status: "running", position: null, step: "install", sinceMs: nowMs - minute }
}

const rolling: AppFacts = {
  ...healthy,
  deploy: deployIn("deploying", 2 * minute),
  workflow: "waiting",
  live: { release: 2, ordinal: 4 },
  observed: { ordinal: 4, phase: "available", reason: null, sinceMs: nowMs - 20 * minute }
}

const row = (fields: Partial<NonNullable<AppFacts["outbox"]>>): AppFacts["outbox"] => ({
  key: { type: "App", id: appId },
  line: "",
  rows: 1,
  effect: "PutDesired",
  atMs: nowMs - minute,
  attempts: 0,
  dueMs: 0,
  problem: null,
  ...fields
})

const failure = {
  phase: "building",
  code: "InstallFailed",
  reason: "npm ci ended with status 1",
  advice: "Run it.",
  output: []
} as const

/** Facts, the verdict, and the codes of what an operator is told, in order. */
const cases: ReadonlyArray<
  readonly [name: string, facts: AppFacts, verdict: string, codes: ReadonlyArray<string>]
> = [
  ["nothing is wrong", healthy, "live", []],
  [
    "nothing was ever pushed",
    { ...healthy, deploy: null, live: null, observed: null },
    "empty",
    ["NothingDeployed"]
  ],
  ["it builds", building, "underway", ["Building"]],
  [
    "its build waits for others",
    { ...building, build: { status: "queued", position: 3, step: null, sinceMs: null } },
    "underway",
    ["BuildQueued"]
  ],
  [
    "the builder is away",
    { ...building, build: { status: "away", position: null, step: null, sinceMs: null } },
    "stuck",
    ["BuilderAway"]
  ],
  [
    "the builder forgot the build",
    { ...building, build: { status: "unknown", position: null, step: null, sinceMs: null } },
    "stuck",
    ["BuildForgotten"]
  ],
  [
    "the build has ended and nobody heard of it",
    { ...building, build: { status: "ended", position: null, step: null, sinceMs: null } },
    "stuck",
    ["BuildNotHeard"]
  ],
  [
    "a deadline passed and nobody noticed",
    { ...building, deploy: deployIn("building", 20 * minute) },
    "stuck",
    ["DeadlineMissed", "Building"]
  ],
  [
    "its workflow is over and the deploy is not",
    { ...building, workflow: "ended" },
    "stuck",
    ["WorkflowEnded", "Building"]
  ],
  [
    "it has only begun",
    { ...building, build: null, deploy: deployIn("pending", second) },
    "underway",
    ["Beginning"]
  ],
  [
    "it never began because nobody performs its effect",
    {
      ...building,
      build: null,
      deploy: deployIn("pending", minute),
      outbox: row({ effect: "StartDeploy" })
    },
    "stuck",
    ["RelayAway", "NotBegun"]
  ],
  [
    "it was built and its workflow does not go on",
    { ...building, build: null, deploy: deployIn("built", minute) },
    "stuck",
    ["NotBegun"]
  ],
  [
    "it rolls out and the agent has not reported yet",
    { ...rolling, deploy: deployIn("deploying", 20 * second) },
    "underway",
    ["NotSeen"]
  ],
  ["the agent holds it and says nothing of it", rolling, "stuck", ["NotSeen"]],
  [
    "the cluster was not told, because telling it fails",
    {
      ...rolling,
      cluster: { ...cluster, entry: { ordinal: 4, n: 8 } },
      outbox: row({ attempts: 4, problem: "cluster is unavailable" })
    },
    "stuck",
    ["EffectFails", "NotDesired"]
  ],
  [
    "the cluster's owner is away, and so everything after it",
    {
      ...rolling,
      cluster: { ...cluster, entry: null, agent: null, activity: away("Cluster"), revision: null },
      outbox: row({ attempts: 4, problem: "cluster is unavailable" })
    },
    "stuck",
    ["EffectFails", "ClusterAway", "NotDesired"]
  ],
  [
    "nobody registered the cluster",
    { ...rolling, cluster: { ...cluster, name: null, entry: null } },
    "stuck",
    ["ClusterUnregistered"]
  ],
  [
    "the agent is away",
    { ...rolling, cluster: { ...cluster, agent: { revision: null, seenAtMs: nowMs - 10 * minute } } },
    "stuck",
    ["AgentAway", "NotSeen"]
  ],
  [
    "the agent asks, but does not take what is new",
    {
      ...rolling,
      cluster: {
        ...cluster,
        agent: { revision: Revision.format({ epoch: "0a0b0c0d", n: 8 }), seenAtMs: nowMs - second }
      }
    },
    "stuck",
    ["AgentBehind"]
  ],
  [
    "the agent is of another history",
    {
      ...rolling,
      cluster: {
        ...cluster,
        epochConfirmed: false,
        agent: { revision: Revision.format({ epoch: "ffffffff", n: 99 }), seenAtMs: nowMs - second }
      }
    },
    "stuck",
    ["AgentBehind", "EpochUnconfirmed"]
  ],
  [
    "its copies start",
    { ...rolling, observed: { ordinal: 5, phase: "progressing", reason: null, sinceMs: nowMs - second } },
    "underway",
    ["CopiesStarting"]
  ],
  [
    "its copies listen on the wrong port",
    {
      ...rolling,
      observed: {
        ordinal: 5,
        phase: "failed",
        reason: { code: "WrongPort", message: "listens on 3000, but PORT is 8080" },
        sinceMs: nowMs - second
      }
    },
    "stuck",
    ["WrongPort"]
  ],
  [
    "the newest deploy failed, and nothing serves",
    { ...healthy, live: null, observed: null, deploy: deployIn("failed", minute, { failure }) },
    "failed",
    ["DeployFailed"]
  ],
  [
    "the newest deploy was cancelled beside what is live",
    { ...healthy, deploy: deployIn("cancelled", minute) },
    "live",
    ["DeployCancelled"]
  ],
  ["nobody wants a copy", { ...healthy, copies: 0 }, "idle", ["NoCopies"]],
  [
    "what is live lost its copies",
    { ...healthy, observed: { ordinal: 5, phase: "degraded", reason: null, sinceMs: nowMs - minute } },
    "degraded",
    ["CopiesDown"]
  ],
  ["the app's owner is away", { ...building, activity: away("App") }, "stuck", ["OwnerAway", "Building"]],
  [
    "the app's mailbox is full",
    { ...building, activity: { ...away("App"), status: "overloaded" } },
    "stuck",
    ["AppOverloaded", "Building"]
  ],
  [
    "the app's turn does not end",
    {
      ...building,
      activity: {
        ...resident("App"),
        incarnation: {
          ...incarnation,
          waiting: 40,
          waitingOldestMs: 25_000,
          inFlightCount: 1,
          inFlight: [{ tag: "StartBuild", requestId: "x", principal: "system:deploy", ageMs: 26_000 }]
        }
      }
    },
    "stuck",
    ["AppSlow", "Building"]
  ],
  [
    "the app's stored events cannot be read",
    {
      ...building,
      activity: {
        ...resident("App"),
        incarnation: {
          ...incarnation,
          errors: [
            { atMs: nowMs - second, tag: "StartBuild", error: "InternalFault", line: "internal fault App" }
          ]
        }
      }
    },
    "stuck",
    ["AppErrors", "Building"]
  ]
]

describe("explain", () => {
  it.each(cases)("when %s", (_, facts, verdict, codes) => {
    const explained = explain(facts, "operator")
    assert.deepStrictEqual(
      { verdict: explained.verdict, codes: explained.findings.map(({ code }) => code) },
      { verdict, codes }
    )
  })

  it.each(cases)("has words for a person and no runner, shard or route in them, when %s", (_, facts) => {
    const asked = explain(facts, "person")
    assert.strictEqual(asked.verdict, explain(facts, "operator").verdict)
    const words = JSON.stringify({ ...asked, appId: "" })
    assert.notMatch(words, /10\.0\.0\.1|shard|runner|outbox|\/operator|mailbox/i)
    if (asked.verdict === "stuck") assert.isTrue(asked.findings[0]?.holds, "a person hears what holds it")
  })

  it("says with each finding that holds what to do next", () => {
    for (const [name, facts] of cases) {
      for (const finding of explain(facts, "operator").findings) {
        assert.isNotEmpty(finding.line, name)
        if (finding.holds) assert.isNotEmpty(finding.next, `${name}: ${finding.code}`)
      }
    }
  })

  it("lets no step of a journey stand ahead of one that is not done", () => {
    for (const [name, facts] of cases) {
      const states = explain(facts, "operator").journey.map(({ state }) => state)
      const open = states.findIndex((state) => state === "now" || state === "stopped")
      const after = open === -1 ? [] : states.slice(open + 1)
      assert.isTrue(
        after.every((state) => state === "ahead" || state === "skipped"),
        name
      )
      assert.isTrue(
        states
          .slice(0, open === -1 ? undefined : open)
          .every((state) => state === "done" || state === "skipped"),
        name
      )
    }
  })

  it("shows where a rollout is that its agent has not fetched", () => {
    const behind = { ...cluster, agent: { revision: null, seenAtMs: nowMs } }
    const { journey } = explain({ ...rolling, cluster: behind }, "operator")
    assert.deepStrictEqual(
      journey.map(({ step, state }) => `${step} ${state}`),
      [
        "accepted done",
        "building done",
        "built done",
        "desired done",
        "pulled now",
        "observed ahead",
        "live ahead"
      ]
    )
  })

  it("has no building in the journey of a rollback", () => {
    const { journey } = explain(
      { ...healthy, deploy: deployIn("deployed", minute, { kind: "rollback" }) },
      "operator"
    )
    assert.deepStrictEqual(
      journey.map(({ state }) => state),
      ["done", "skipped", "done", "done", "done", "done", "done"]
    )
  })
})
