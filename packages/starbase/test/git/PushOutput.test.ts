import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { CommitSha } from "@starform/domain/ids/Digest"
import { DeployId } from "@starform/domain/ids/Ids"
import type { Deploy, DeployFailure, DeployPhase } from "@starform/domain/model/Deploy"
import * as PushOutput from "@starform/starbase/git/PushOutput"

const commit = CommitSha.make("0123456789abcdef0123456789abcdef01234567")

const deployIn = (
  phases: ReadonlyArray<readonly [DeployPhase, number]>,
  more: Partial<Deploy> = {}
): Deploy => ({
  id: DeployId.make("0198c0de-0000-7000-9000-000000000001"),
  ordinal: 1,
  kind: "push",
  phase: phases.at(-1)?.[0] ?? "pending",
  phases: phases.map(([phase, atMs]) => ({ phase, atMs })),
  commit,
  ref: "refs/heads/main",
  releaseId: null,
  failure: null,
  supersededBy: null,
  ...more
})

const failure: DeployFailure = {
  phase: "building",
  code: "InstallFailed",
  reason: "npm ci ended with status 1",
  advice: "Run it on your machine.",
  output: ["npm error code 1", "npm error see above"]
}

const target: PushOutput.CommandTarget = {
  commandLine: "npm run starform --",
  workspace: "acme",
  project: "shop",
  service: "api",
  environment: "production"
}

const failedFor = (reason: string) => deployIn([["failed", 0]], { failure: { ...failure, reason } })

describe("PushOutput", () => {
  it("seconds: tenths below a minute, whole seconds above", () => {
    assert.deepStrictEqual([0, 49, 50, 1234, 59_949, 59_950, 60_000, 125_400].map(PushOutput.seconds), [
      "0.0 s",
      "0.0 s",
      "0.1 s",
      "1.2 s",
      "59.9 s",
      "1 min 0 s",
      "1 min 0 s",
      "2 min 5 s"
    ])
  })

  it("accepted", () => {
    const push = { commit, subject: "Begin", app: "acme/shop/api", environment: "production" }
    assert.deepStrictEqual(PushOutput.accepted(push), [
      "",
      "  acme/shop/api → production",
      "  0123456 Begin",
      ""
    ])
    const long = PushOutput.accepted({ ...push, subject: "word ".repeat(40) })[2] ?? ""
    assert.isAtMost(long.length, 78)
    assert.match(long, / word…$/)
  })

  it("serviceCreated, stored, detached, buildLine", () => {
    assert.strictEqual(PushOutput.serviceCreated("api", "shop"), `  Created service "api" in project "shop".`)
    assert.deepStrictEqual(
      PushOutput.stored("idea", [
        ["main", "production"],
        ["next", "staging"]
      ]),
      [
        "",
        `  Stored. No environment deploys from "idea".`,
        "  Deploying branches: main → production, next → staging",
        ""
      ]
    )
    assert.deepStrictEqual(PushOutput.detached("d1", { ...target, environment: "staging" }), [
      "  Accepted as deploy d1.",
      "  Not waiting, as asked. This shows how it goes:",
      "    npm run starform -- status -a acme/shop/api -e staging",
      ""
    ])
    assert.strictEqual(PushOutput.buildLine("npm ci"), "    npm ci")
  })

  it("phases: what ended and how long it took, then what begins; from where the reader was", () => {
    const deploy = deployIn([
      ["pending", 0],
      ["building", 100],
      ["built", 2100],
      ["deploying", 2200],
      ["deployed", 5200]
    ])
    assert.deepStrictEqual(PushOutput.phases(deploy, 1), [
      "  ▸ Building",
      "  ✓ Built in 2.0 s",
      "  ▸ Deploying",
      "  ✓ Deployed in 3.0 s"
    ])
    assert.deepStrictEqual(PushOutput.phases(deploy, 4), ["  ✓ Deployed in 3.0 s"])
    assert.deepStrictEqual(PushOutput.phases(deploy, 5), [])
  })

  it("phases: nothing is called done that ended badly", () => {
    for (const end of ["failed", "cancelled", "superseded"] as const) {
      const deploy = deployIn([
        ["pending", 0],
        ["building", 100],
        [end, 900]
      ])
      assert.deepStrictEqual(PushOutput.phases(deploy, 2), [])
    }
  })

  it("still", () => {
    assert.strictEqual(PushOutput.still("building", 12_400), "    … still building (12 s)")
    assert.strictEqual(PushOutput.still("deploying", 4000), "    … still deploying (4 s)")
    assert.strictEqual(
      PushOutput.still("deploying", 12_000, "nothing listens on the port in PORT"),
      "    … still deploying (12 s): nothing listens on the port in PORT"
    )
    assert.strictEqual(PushOutput.still("pending", 0), "    … still waiting (0 s)")
  })

  it("failure: what failed and why, its last output, what to do, and what serves now", () => {
    assert.deepStrictEqual(PushOutput.failure(failure, true), [
      "",
      "  ✗ The build failed: npm ci ended with status 1",
      "",
      "    │ npm error code 1",
      "    │ npm error see above",
      "",
      "    Run it on your machine.",
      "    The release that was live is still serving. Push again when it is fixed.",
      ""
    ])
    assert.deepStrictEqual(
      PushOutput.failure({ ...failure, phase: "deploying", output: [], advice: "" }, false),
      [
        "",
        "  ✗ The release did not become healthy: npm ci ended with status 1",
        "    Nothing is live yet. Push again when it is fixed.",
        ""
      ]
    )
    assert.include(
      PushOutput.failure({ ...failure, phase: "pending" }, false)[1],
      "✗ The deploy failed: npm ci"
    )
  })

  it("live and ended", () => {
    assert.deepStrictEqual(PushOutput.live(["https://a.example", "https://b.example"], 61_000, target), [
      "",
      "  ✓ live at https://a.example  (1 min 1 s in all)",
      "  ✓ live at https://b.example  (1 min 1 s in all)",
      ""
    ])
    assert.deepStrictEqual(PushOutput.live([], 900, target), ["", "  ✓ live (0.9 s in all)", ""])
    assert.deepStrictEqual(PushOutput.live([], 900, target, ["worker"]), [
      "",
      "  ✓ live (0.9 s in all)",
      "    worker runs no copies; this starts one:",
      "      npm run starform -- scale worker=1 -a acme/shop/api",
      ""
    ])
    assert.deepStrictEqual(PushOutput.ended("superseded", commit), [
      "",
      "  – superseded by a newer push (0123456)",
      ""
    ])
    assert.deepStrictEqual(PushOutput.ended("superseded", null), ["", "  – superseded by a newer push", ""])
    assert.deepStrictEqual(PushOutput.ended("cancelled", null), ["", "  – cancelled", ""])
  })

  it("verdict: none for a live deploy, one line for every other", () => {
    const of = (deploy: Deploy, by: string | null = null) => PushOutput.verdict(deploy, by, "refs/heads/main")
    assert.isNull(of(deployIn([["deployed", 0]])))
    assert.strictEqual(of(deployIn([["superseded", 0]]), commit), `superseded by ${commit}`)
    assert.strictEqual(of(deployIn([["superseded", 0]])), "superseded")
    assert.strictEqual(of(deployIn([["cancelled", 0]])), "cancelled")
    assert.strictEqual(of(deployIn([["failed", 0]])), "the deploy did not end")
    assert.strictEqual(of(failedFor("two\n  lines\tof it ")), "two lines of it")
  })

  it("verdict: a long reason ends with a whole word, in a line of at most 120 characters", () => {
    const reason =
      "nothing at the root says how to build this: looked for package.json, Procfile, Dockerfile and index.html"
    assert.strictEqual(
      PushOutput.verdict(failedFor(reason), null, "refs/heads/main"),
      "nothing at the root says how to build this: looked for package.json, Procfile…"
    )
  })

  it("cut: at most so long, unchanged when it fits, and never in the middle of a word that has a space before it", () => {
    const word = fc.stringMatching(/^[a-z]{1,12}$/)
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 14, max: 120 }),
        (words, max) => {
          const text = words.join(" ")
          const shown = PushOutput.cut(text, max)
          assert.isAtMost(shown.length, max)
          if (text.length <= max) return assert.strictEqual(shown, text)
          assert.isTrue(shown.endsWith("…"))
          const kept = shown.slice(0, -1)
          assert.isTrue(text.startsWith(`${kept} `), shown)
        }
      )
    )
    assert.strictEqual(PushOutput.cut("x".repeat(50), 10), `${"x".repeat(9)}…`)
  })

  it("verdict: git's line stays within 120 characters, whatever the reason", () => {
    const branch = fc.stringMatching(/^[a-z]{1,16}(\/[a-z]{1,8})?$/)
    fc.assert(
      fc.property(branch, fc.lorem({ maxCount: 60 }), (name, reason) => {
        const verdict = PushOutput.verdict(failedFor(reason), null, `refs/heads/${name}`)
        assert.isAtMost(` ! [remote rejected] ${name} -> ${name} (${verdict})`.length, 120)
      })
    )
  })

  it("verdict: a reason keeps 40 characters beside the longest of branch names", () => {
    const verdict = PushOutput.verdict(failedFor("reason ".repeat(20)), null, `refs/heads/${"b".repeat(200)}`)
    assert.strictEqual(verdict, "reason reason reason reason reason…")
  })
})
