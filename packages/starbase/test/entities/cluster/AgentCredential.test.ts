import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as fc from "fast-check"
import { Slug } from "@starform/domain/ids/Slug"
import { joinTokenLifeMs, offerLifeMs } from "@starform/domain/protocol/AgentApi"
import * as Credential from "@starform/starbase/entities/cluster/AgentCredential"
import * as Decisions from "@starform/starbase/entities/cluster/ClusterDecisions"
import * as Cluster from "@starform/starbase/entities/cluster/ClusterState"
import * as Specimens from "../Specimens.ts"

/** Few of each, so that they meet: credentials and join tokens by number. */
const kinds = 3
const credential = (n: number) => `c${n}`.padEnd(64, "0")
const token = (n: number) => `e${n}`.padEnd(64, "0")

const registered = (agentTokenHash: string | null) => {
  const registration = {
    clusterId: Specimens.clusterId(1),
    name: Slug.make("local"),
    region: "here",
    agentTokenHash
  }
  return Result.getOrThrow(
    Decisions.register(Cluster.initial(), { registration, epoch: "0a0b0c0d" })
  ).events.reduce(Cluster.evolve, Cluster.initial())
}

const which = fc.nat({ max: kinds - 1 })
const step = fc.oneof(
  fc.record({ kind: fc.constant("issue" as const), token: which }),
  fc.record({ kind: fc.constant("join" as const), token: which, credential: which }),
  fc.record({ kind: fc.constant("use" as const), credential: which }),
  fc.record({ kind: fc.constant("offer" as const), credential: which, next: which }),
  fc.record({ kind: fc.constant("ask" as const) }),
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("revoke" as const) }) },
  fc.record({
    kind: fc.constant("wait" as const),
    ms: fc.constantFrom(1, Credential.rotationGraceMs, offerLifeMs / 2, joinTokenLifeMs)
  })
)
type Step = typeof step extends fc.Arbitrary<infer A> ? A : never

interface Moment {
  readonly step: Step
  readonly nowMs: number
  readonly before: Cluster.ClusterState
  readonly after: Cluster.ClusterState
  readonly isRejected: boolean
}

type Outcome = Result.Result<{ readonly events: ReadonlyArray<Credential.CredentialEvent> }, unknown>

const decide = (state: Cluster.ClusterState, step: Step, nowMs: number): Outcome => {
  switch (step.kind) {
    case "issue":
      return Credential.issueJoinToken(state, { joinTokenHash: token(step.token) }, nowMs)
    case "join": {
      const request = { joinTokenHash: token(step.token), credentialHash: credential(step.credential) }
      return Credential.join(state, request, nowMs)
    }
    case "use":
      return Result.succeed(Credential.use(state, credential(step.credential), nowMs))
    case "offer": {
      const request = {
        agentTokenHash: credential(step.credential),
        credentialHash: credential(step.next)
      }
      return Credential.offer(state, request, nowMs)
    }
    case "ask":
      return Credential.askRotation(state)
    case "revoke":
      return Credential.revoke(state)
    case "wait":
      return Result.succeed({ events: [] })
  }
}

const history = (steps: ReadonlyArray<Step>): ReadonlyArray<Moment> => {
  let state = registered(credential(0))
  let nowMs = 1_000_000
  return steps.map((step) => {
    const before = state
    if (step.kind === "wait") nowMs += step.ms
    const outcome = decide(before, step, nowMs)
    if (Result.isSuccess(outcome))
      state = outcome.success.events.reduce<Cluster.ClusterState>(Cluster.evolve, before)
    return { step, nowMs, before, after: state, isRejected: Result.isFailure(outcome) }
  })
}

const always = (law: (moments: ReadonlyArray<Moment>) => void) =>
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => law(history(steps))),
    { numRuns: 300 }
  )

const all = Array.from({ length: kinds }, (_, n) => credential(n))
const permitted = (state: Cluster.ClusterState, nowMs: number) =>
  all.filter((hash) => Credential.isPermitted(state, hash, nowMs))

describe("every sequence of joins, rotations and revocations", () => {
  it("INV-CLU-6 permits the present credential, the one that is offered, for a minute the one before, and no other", () => {
    always((moments) => {
      for (const { after, nowMs } of moments) {
        const { offered, previousHash, sinceMs } = after.credential
        const possible = [
          after.registration?.agentTokenHash,
          offered !== null && nowMs < offered.untilMs ? offered.credentialHash : null,
          nowMs < (sinceMs ?? 0) + Credential.rotationGraceMs ? previousHash : null
        ]
        assert.deepStrictEqual(
          permitted(after, nowMs),
          all.filter((hash) => possible.includes(hash))
        )
      }
    })
  })

  it("INV-CLU-10 refuses nobody for a rotation: the one that was replaced is taken on for a while, and what it parked stays", () => {
    always((moments) => {
      for (const { step, before, after, nowMs } of moments) {
        if (step.kind === "revoke" || step.kind === "join" || step.kind === "wait") continue
        for (const hash of permitted(before, nowMs)) {
          const isPresent = before.registration?.agentTokenHash === hash
          if (isPresent) {
            assert.include(permitted(after, nowMs), hash)
            assert.isTrue(Credential.mayStay(after, hash), "what it parked ends in its own time")
            continue
          }
          const isReplaced = hash === before.credential.offered?.credentialHash && step.kind === "offer"
          const isLongPast = hash === before.credential.previousHash && step.kind === "use"
          assert.isTrue(permitted(after, nowMs).includes(hash) || isReplaced || isLongPast, step.kind)
        }
      }
    })
  })

  it("INV-CLU-10 keeps the present credential for as long as no other one was used, whatever time passes", () => {
    always((moments) => {
      for (const { step, before, after, nowMs } of moments) {
        const present = before.registration?.agentTokenHash ?? null
        if (present === null || after.registration?.agentTokenHash === present) continue
        assert.include(["use", "join", "revoke"], step.kind)
        if (step.kind === "use")
          assert.isTrue(Credential.isPermitted(before, credential(step.credential), nowMs))
      }
    })
  })

  it("INV-CLU-11 exchanges a join token once, in its time, and only the newest one", () => {
    always((moments) => {
      let issued: { readonly hash: string; readonly untilMs: number } | null = null
      const spent = new Map<string, string>()
      for (const { step, isRejected, nowMs, after } of moments) {
        if (step.kind === "revoke") issued = null
        if (step.kind === "issue" && !isRejected) {
          issued = { hash: token(step.token), untilMs: nowMs + joinTokenLifeMs }
          spent.delete(issued.hash)
        }
        if (step.kind !== "join") continue
        const [hash, by] = [token(step.token), credential(step.credential)]
        const isFirst = issued?.hash === hash && !spent.has(hash) && nowMs < issued.untilMs
        if (isFirst) spent.set(hash, by)
        if (!isRejected) {
          assert.strictEqual(issued?.hash, hash)
          assert.strictEqual(spent.get(hash), by)
          assert.strictEqual(after.registration?.agentTokenHash, by)
        } else assert.isFalse(isFirst)
      }
    })
  })

  it("INV-CLU-12 leaves nothing that opens or stays after a revocation, until somebody joins", () => {
    always((moments) => {
      let isRevoked = false
      for (const { step, isRejected, after, nowMs } of moments) {
        if (step.kind === "revoke") isRevoked = true
        if (step.kind === "join" && !isRejected) isRevoked = false
        if (!isRevoked) continue
        assert.deepStrictEqual(permitted(after, nowMs), [])
        assert.isFalse(all.some((hash) => Credential.mayStay(after, hash)))
      }
    })
  })

  it("changes nothing when the same message comes twice in a row, but for a join token's time", () => {
    always((moments) => {
      for (const { step, after, nowMs, isRejected } of moments) {
        if (isRejected || step.kind === "issue" || step.kind === "offer") continue
        const again = decide(after, step, nowMs)
        assert.deepStrictEqual(Result.isSuccess(again) ? again.success.events : [], [])
      }
    })
  })
})

describe("publicCredential", () => {
  it("says what there is, and until when a join token can be exchanged", () => {
    const bare = registered(null)
    assert.deepStrictEqual(Credential.publicCredential(bare, 0), {
      state: "none",
      sinceMs: null,
      rotationAsked: false,
      joinTokenUntilMs: null
    })
    const issued = Result.getOrThrow(
      Credential.issueJoinToken(bare, { joinTokenHash: token(1) }, 5)
    ).events.reduce(Cluster.evolve, bare)
    assert.strictEqual(Credential.publicCredential(issued, 6).joinTokenUntilMs, 5 + joinTokenLifeMs)
    assert.isNull(Credential.publicCredential(issued, 5 + joinTokenLifeMs).joinTokenUntilMs)
  })
})
