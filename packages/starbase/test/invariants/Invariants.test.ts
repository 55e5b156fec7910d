/** Each invariant sees what it is for: evidence that violates it, and the nearest that does not. */
import { assert, describe, it } from "@effect/vitest"
import { DeployId } from "@starform/domain/ids/Ids"
import { Revision } from "@starform/domain/ids/Revision"
import * as Specimens from "../entities/Specimens.ts"
import * as Evidence from "./Evidence.ts"
import { violations } from "./Invariants.ts"

const app = { type: "App", id: "a" }

const event = (sequence: number, requestId: string, fields: object = {}, atMs = 1) => ({
  sequence,
  event: { _tag: "SettingsChanged", ...fields },
  actor: "operator",
  requestId,
  atMs
})

const found = (evidence: Partial<Evidence.Evidence>) =>
  violations({ ...Evidence.nothing, ...evidence }).map(({ invariant }) => invariant)

const acknowledged = [{ entity: app, requestId: "r1", reply: null, appends: 1 }]
const requests = [{ entity: app, requestId: "r1", sequence: 1 }]
const journals = [{ entity: app, events: [event(1, "r1")] }]
const whole = { acknowledged, requests, journals }

describe("An acknowledged command", () => {
  it("INV-ACT-1 is lost without its kept request, its events, or the end of its journal", () => {
    assert.deepStrictEqual(found(whole), [])
    assert.deepStrictEqual(found({ ...whole, requests: [] }), ["INV-ACT-1"])
    assert.deepStrictEqual(found({ ...whole, journals: [] }), ["INV-ACT-1"])
    assert.deepStrictEqual(found({ ...whole, requests: [{ ...requests[0]!, sequence: 2 }], journals }), [
      "INV-ACT-1",
      "INV-ACT-2"
    ])
    assert.deepStrictEqual(found({ ...whole, journals: [{ entity: app, events: [event(1, "r2")] }] }), [
      "INV-ACT-1"
    ])
  })

  it("INV-ACT-2 takes effect once: one append, one answer", () => {
    const twice = (second: ReturnType<typeof event>) =>
      found({ requests, journals: [{ entity: app, events: [event(1, "r1"), second] }] })
    assert.deepStrictEqual(twice(event(2, "r2", {}, 2)), [])
    assert.deepStrictEqual(twice(event(2, "r1", {}, 2)), ["INV-ACT-2"])
    assert.deepStrictEqual(twice(event(2, "r1", {}, 1)), ["INV-ACT-2"])
    assert.deepStrictEqual(found({ ...whole, acknowledged: [...acknowledged, ...acknowledged] }), [])
    assert.deepStrictEqual(
      found({ ...whole, acknowledged: [...acknowledged, { ...acknowledged[0]!, reply: "else" }] }),
      ["INV-ACT-2"]
    )
  })
})

describe("A journal", () => {
  it("INV-ACT-3 has no gap", () => {
    assert.deepStrictEqual(found({ journals: [{ entity: app, events: [event(1, "a"), event(3, "b")] }] }), [
      "INV-ACT-3"
    ])
  })

  it("INV-ACT-3 has nothing that was decided on stale memory", () => {
    const numbered = (...ns: ReadonlyArray<number>) =>
      found({
        journals: [
          {
            entity: app,
            events: ns.map((n, index) => event(index + 1, `r${index}`, { _tag: "EntryPut", n }))
          }
        ]
      })
    assert.deepStrictEqual(numbered(1, 2, 4), [])
    assert.deepStrictEqual(numbered(1, 2, 2), ["INV-ACT-3"])
  })

  it("INV-ACT-3 is appended to by those alone who know its end", () => {
    const step = (kind: "loaded" | "appended", writer: string, sequence: number) =>
      ({ kind, writer, entity: app, sequence }) as const
    const both = [step("loaded", "one", 0), step("appended", "one", 1), step("loaded", "two", 1)]
    const fenced = { kind: "fenced", writer: "one", entity: app } as const
    const after = (...steps: ReadonlyArray<Evidence.Step>) =>
      found({ steps: [...both, step("appended", "two", 2), ...steps] })
    assert.deepStrictEqual(after(fenced, step("loaded", "one", 2), step("appended", "one", 3)), [])
    assert.deepStrictEqual(after(step("appended", "one", 3)), ["INV-ACT-3"])
    assert.deepStrictEqual(after(fenced, step("appended", "one", 3)), ["INV-ACT-3"])
  })
})

it("INV-ACT-4 the revisions of a cluster grow, and no epoch comes back", () => {
  const seen = (...revisions: ReadonlyArray<string>) =>
    found({
      revisions: [
        { cluster: "c", observer: "agent", revisions: revisions.map((text) => Revision.make(text)) }
      ]
    })
  assert.deepStrictEqual(seen("aaaaaaaa-1", "aaaaaaaa-1", "aaaaaaaa-3", "bbbbbbbb-0"), [])
  assert.deepStrictEqual(seen("aaaaaaaa-2", "aaaaaaaa-1"), ["INV-ACT-4"])
  assert.deepStrictEqual(seen("aaaaaaaa-2", "bbbbbbbb-3", "aaaaaaaa-4"), ["INV-ACT-4"])
})

it("INV-ACT-5 a push ends within the sum of its deadlines", () => {
  const push = { deployId: DeployId.make(Specimens.deployId(1)), acceptedAtMs: 10, deadlineMs: 100 }
  const at = (atMs: number, phase: "building" | "failed", sinceMs: number) =>
    found({ atMs, pushes: [{ ...push, phase, sinceMs }] })
  assert.deepStrictEqual(at(110, "building", 20), [])
  assert.deepStrictEqual(at(111, "building", 20), ["INV-ACT-5"])
  assert.deepStrictEqual(at(500, "failed", 110), [])
  assert.deepStrictEqual(at(500, "failed", 111), ["INV-ACT-5"])
})

it("INV-ACT-6 at rest what is desired is what is observed", () => {
  const appId = Specimens.appId(1)
  const desired = { ordinal: 2, releaseId: "r" }
  const observed = { ...desired, phase: "available" }
  const rest = (fields: Partial<Evidence.AppAtRest>) =>
    found({ rest: [{ appId, desired, entry: desired, observed, ...fields }] })
  assert.deepStrictEqual(rest({}), [])
  assert.deepStrictEqual(rest({ desired: null, entry: null, observed: null }), [])
  assert.deepStrictEqual(rest({ entry: { ...desired, ordinal: 1 } }), ["INV-ACT-6"])
  assert.deepStrictEqual(rest({ observed: { ...observed, ordinal: 1 } }), ["INV-ACT-6"])
  assert.deepStrictEqual(rest({ observed: { ...observed, phase: "progressing" } }), ["INV-ACT-6"])
  assert.deepStrictEqual(rest({ desired: null, entry: null }), ["INV-ACT-6"])
})

it("INV-ACT-7 nobody waits for another tenant's fault, by virtual time or by the order of events", () => {
  const bystander = (judged: Evidence.BystandersJourney["judged"]) =>
    found({ bystanders: [{ tenant: "b", what: "push 1", fault: "builds of a never end", judged }] })
  assert.deepStrictEqual(bystander({ tookMs: 10, limitMs: 10 }), [])
  assert.deepStrictEqual(bystander({ tookMs: 11, limitMs: 10 }), ["INV-ACT-7"])
  assert.deepStrictEqual(bystander({ endedInFault: true }), [])
  assert.deepStrictEqual(bystander({ endedInFault: false }), ["INV-ACT-7"])
})
