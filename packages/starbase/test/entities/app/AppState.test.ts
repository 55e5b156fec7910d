import { assert, describe, it } from "@effect/vitest"
import { Option, Result, Schema } from "effect"
import * as fc from "fast-check"
import { VariableName } from "@starform/domain/ids/Slug"
import { type Deploy, isTerminal } from "@starform/domain/model/Deploy"
import * as Deploys from "@starform/starbase/entities/app/AppDeploys"
import * as AppModel from "@starform/starbase/entities/app/AppModel"
import { observe } from "@starform/starbase/entities/app/AppObservation"
import { setVariables } from "@starform/starbase/entities/app/AppSettingsChange"
import * as App from "@starform/starbase/entities/app/AppState"
import { left, pageSizes, rebuilt } from "../RebuiltRows.ts"
import * as Specimens from "../Specimens.ts"
import { history, type Moment, steps } from "./AppCommands.ts"

const always = (law: (moments: ReadonlyArray<Moment>) => void) =>
  fc.assert(
    fc.property(steps, (asked) => law(history(asked))),
    { numRuns: 150 }
  )

const atEach = (law: (moment: Moment) => void) => always((moments) => moments.forEach(law))

const running = (state: App.AppState) => state.deploys.filter(({ phase }) => !isTerminal(phase))

const roundTrip = <A>(codec: Schema.Codec<A, unknown>, value: A): A =>
  Schema.decodeUnknownSync(codec)(JSON.parse(JSON.stringify(Schema.encodeSync(codec)(value))))

describe("every sequence of commands", () => {
  it("changes no state in place, changes nothing by a rejected command, and never throws", () => {
    atEach(({ before, after, events }) => {
      assert.isTrue(events.length > 0 || after === before)
    })
  })

  it("INV-APP-1 leaves at most one deploy that has not ended", () => {
    atEach(({ after }) => assert.isAtMost(running(after).length, 1))
  })

  it("INV-APP-2 only grows the ordinal, and gives each deploy one of its own for ever", () => {
    atEach(({ before, after, events }) => {
      assert.isAtLeast(after.ordinal, before.ordinal)
      const ordinals = after.deploys.map(({ ordinal }) => ordinal)
      assert.deepStrictEqual(
        ordinals,
        [...new Set(ordinals)].sort((a, b) => a - b)
      )
      for (const deploy of before.deploys) {
        const same = App.findDeploy(after, deploy.id)
        if (same !== undefined) assert.strictEqual(same.ordinal, deploy.ordinal)
      }
      if (events.some(({ _tag }) => _tag === "DeployRequested")) {
        assert.isAbove(after.ordinal, before.ordinal)
      }
    })
  })

  it("INV-APP-3 never changes a deploy that has ended", () => {
    atEach(({ before, after }) => {
      for (const deploy of before.deploys.filter(({ phase }) => isTerminal(phase))) {
        const same = App.findDeploy(after, deploy.id)
        if (same !== undefined) {
          assert.deepStrictEqual(Deploys.publicDeploy(same), Deploys.publicDeploy(deploy))
        }
      }
    })
  })

  it("INV-APP-4 makes a deploy live only by an observation of its own ordinal", () => {
    atEach(({ after, events }) => {
      for (const event of events) {
        if (event._tag !== "DeployLive") continue
        const deploy = App.findDeploy(after, event.deployId)
        assert.strictEqual(after.observed?.phase, "available")
        assert.strictEqual(after.observed?.ordinal, deploy?.ordinal)
        assert.strictEqual(after.live?.entry.deployId, event.deployId)
      }
    })
  })

  it("INV-APP-5 changes what is live only by an observation", () => {
    atEach(({ before, after, events }) => {
      if (!events.some(({ _tag }) => _tag === "ObservationChanged")) {
        assert.deepStrictEqual(after.live, before.live)
      }
    })
  })

  it("INV-APP-6 desires what is live, or nothing, whenever no deploy runs", () => {
    atEach(({ after }) => {
      if (running(after).length > 0) return
      assert.strictEqual(after.desired?.deployId, after.live?.entry.deployId)
      if (after.desired !== null && after.live !== null) {
        assert.deepStrictEqual({ ...after.desired, ordinal: 0 }, { ...after.live.entry, ordinal: 0 })
      }
    })
  })

  it("tells the cluster ordinals that only grow, the last one of what is desired", () => {
    always((moments) => {
      let told = 0
      let state = App.initial()
      for (const moment of moments) {
        state = moment.before
        for (const event of moment.events) {
          state = App.evolve(state, event)
          for (const effect of AppModel.model.effects(event, state)) {
            if (effect._tag !== "PutDesired" && effect._tag !== "RemoveDesired") continue
            const ordinal = effect._tag === "PutDesired" ? effect.entry.ordinal : effect.ordinal
            assert.isAbove(ordinal, told)
            told = ordinal
          }
        }
        assert.strictEqual(moment.after.desired?.ordinal ?? told, told)
      }
    })
  })

  it("starts a workflow for every deploy, and settles it at its end", () => {
    always((moments) => {
      const effects = moments.flatMap(({ before, events }) => {
        let state = before
        return events.flatMap((event) => {
          state = App.evolve(state, event)
          return AppModel.model.effects(event, state)
        })
      })
      const told = (tag: "StartDeploy" | "SettleDeploy") =>
        effects.flatMap((effect) => (effect._tag === tag ? [effect.deployId as string] : []))
      const last = moments.at(-1)?.after
      const open = last === undefined ? [] : running(last).map(({ id }) => id as string)
      assert.deepStrictEqual([...told("SettleDeploy"), ...open].sort(), told("StartDeploy").sort())
    })
  })

  it("rolls back to a release that exists, and never to the one that is live unless it is named", () => {
    atEach(({ before, events, step }) => {
      for (const event of events) {
        if (event._tag !== "DeployRequested" || event.kind !== "rollback") continue
        const target = before.releases.find(({ id }) => id === event.releaseId)
        assert.isDefined(target)
        if (step.choice === 0) assert.notStrictEqual(target?.id, before.live?.entry.releaseId)
        else assert.strictEqual(target?.number, step.choice)
      }
    })
  })

  it("numbers releases 1, 2, 3, … without a gap", () => {
    always((moments) => {
      const numbers = moments.flatMap(({ events }) =>
        events.flatMap((event) => (event._tag === "ReleaseBuilt" ? [event.release.number] : []))
      )
      assert.deepStrictEqual(
        numbers,
        numbers.map((_, index) => index + 1)
      )
    })
  })

  it("INV-APP-7 keeps variables sealed in everything that is stored", () => {
    const settings = { ...App.initial().settings, variables: [{ key: "A", value: "clear", secret: true }] }
    assert.isTrue(
      Option.isNone(Schema.decodeUnknownOption(App.AppEvent)({ _tag: "SettingsChanged", settings }))
    )
    assert.isTrue(Option.isNone(Schema.decodeUnknownOption(App.AppState)({ ...App.initial(), settings })))
  })

  it("is replayed from its stored events, from the first or from a snapshot at any of them", () => {
    always((moments) => {
      const end = moments.at(-1)?.after
      if (end === undefined) return
      const start = moments[0]!.before
      const events = moments.flatMap((moment) => moment.events)
      const stored = roundTrip(Schema.Array(App.AppEvent), events)
      assert.deepStrictEqual(stored.reduce(App.evolve, start), end)
      const half = Math.floor(stored.length / 2)
      const snapshot = roundTrip(App.AppState, stored.slice(0, half).reduce(App.evolve, start))
      assert.deepStrictEqual(stored.slice(half).reduce(App.evolve, snapshot), end)
    })
  })

  it("lists as running exactly the deploys that have not ended", () => {
    always((moments) => {
      const rows = new Map<string, unknown>()
      for (const { events, after } of moments) {
        for (const row of AppModel.model.rows(events, after)) {
          if (row.model !== "running-deploy") continue
          if (row.row === null) rows.delete(row.key)
          else rows.set(row.key, row.row)
        }
        assert.deepStrictEqual(
          [...rows.keys()],
          running(after).map(({ id }) => id)
        )
      }
    })
  })
})

const nowMs = 1_000
const first = Specimens.deployId(1)
const second = Specimens.deployId(2)

type Decided = Result.Result<
  { readonly events: ReadonlyArray<App.AppEvent>; readonly reply: (state: App.AppState) => unknown },
  unknown
>

const apply = (state: App.AppState, decided: Decided): App.AppState =>
  Result.getOrThrow(decided).events.reduce(App.evolve, state)

const created = App.evolve(App.initial(), { _tag: "AppCreated", identity: Specimens.identity(1) })

const pushed = (state: App.AppState, deployId: Deploy["id"], n = 1) =>
  apply(state, Deploys.acceptPush(state, { ...Specimens.push(deployId, n), requestedBy: "operator" }, nowMs))

const building = (state: App.AppState, deployId: Deploy["id"]) =>
  apply(state, Deploys.startBuild(state, { deployId }, nowMs))

const recorded = (state: App.AppState, deployId: Deploy["id"], n = 1) =>
  apply(state, Deploys.recordRelease(state, Specimens.built(deployId, n), nowMs))

const rollingOut = (state: App.AppState, deployId: Deploy["id"]) =>
  apply(state, Deploys.startRollout(state, { deployId }, nowMs))

const seen = (state: App.AppState, phase: "available" | "failed") =>
  observe(state, Specimens.observed(state.desired!, phase), nowMs).events.reduce(App.evolve, state)

const deploying = (state: App.AppState, deployId: Deploy["id"], n = 1) =>
  rollingOut(recorded(building(pushed(state, deployId, n), deployId), deployId, n), deployId)

const live = (state: App.AppState, deployId: Deploy["id"], n = 1) =>
  seen(deploying(state, deployId, n), "available")

const phaseOf = (state: App.AppState, deployId: Deploy["id"]) => App.findDeploy(state, deployId)?.phase

const failed = (state: App.AppState, deployId: Deploy["id"]) =>
  apply(state, Deploys.failDeploy(state, { deployId, failure: Specimens.failure }, nowMs))

describe("a rebuild", () => {
  const identity = Specimens.identity(1)
  const creation: ReadonlyArray<App.AppEvent> = [{ _tag: "AppCreated", identity }]

  it("INV-JRN-8 makes of any history the rows and names that its appends left", () => {
    always((moments) => {
      const appends = [creation, ...moments.map(({ events }) => events)]
      for (const size of pageSizes) {
        assert.deepStrictEqual(
          rebuilt(AppModel.model, identity.appId, appends, size),
          left(AppModel.model, identity.appId, appends)
        )
      }
    })
  })

  it("INV-JRN-8 keeps the rows of deploys that the state has forgotten, which a fold of all at once would not", () => {
    const moments = history(
      Array.from({ length: 120 }, () => ({ kind: "push" as const, target: 0, choice: 0 }))
    )
    const appends = [creation, ...moments.map(({ events }) => events)]
    for (const size of pageSizes) {
      assert.deepStrictEqual(
        rebuilt(AppModel.model, identity.appId, appends, size),
        left(AppModel.model, identity.appId, appends)
      )
    }
    const { rows } = rebuilt(AppModel.model, identity.appId, appends, 1_000)
    assert.strictEqual(rows.filter(({ model }) => model === "deploy").length, 120)
    const atOnce = AppModel.model.rows(appends.flat(), moments.at(-1)!.after)
    assert.strictEqual(atOnce.filter(({ model }) => model === "deploy").length, 50)
  })
})

describe("cancelDeploy", () => {
  const allowed = {
    pending: pushed(created, first),
    building: building(pushed(created, first), first),
    built: recorded(building(pushed(created, first), first), first),
    deploying: deploying(created, first)
  }
  it.each(Object.entries(allowed))("is allowed while %s", (phase, state) => {
    assert.strictEqual(phaseOf(state, first), phase)
    assert.strictEqual(
      phaseOf(apply(state, Deploys.cancelDeploy(state, { deployId: first }, nowMs)), first),
      "cancelled"
    )
  })

  const over = {
    deployed: live(created, first),
    failed: failed(allowed.building, first),
    superseded: pushed(allowed.building, second, 2)
  }
  it.each(Object.entries(over))("is refused once %s", (phase, state) => {
    assert.strictEqual(phaseOf(state, first), phase)
    const refused = Result.flip(Deploys.cancelDeploy(state, { deployId: first }, nowMs))
    assert.deepInclude(Result.getOrThrow(refused), { _tag: "DeployEnded", phase })
  })
})

describe("acceptPush", () => {
  it("supersedes the running deploy and names its successor", () => {
    const state = pushed(deploying(created, first), second, 2)
    assert.deepInclude(App.findDeploy(state, first), { phase: "superseded", supersededBy: second })
    assert.strictEqual(App.activeDeploy(state)?.id, second)
    assert.strictEqual(state.desired?.deployId, first)
  })
})

describe("observe", () => {
  it("says what to do about an app that never opened its port", () => {
    const state = deploying(created, first)
    const reason = { code: "PortNotOpen", message: "nothing listened on the port in PORT within 60 s" }
    const report = Specimens.observed(state.desired!, "failed", reason)
    const after = observe(state, report, nowMs).events.reduce(App.evolve, state)
    const failure = App.findDeploy(after, first)?.failure
    assert.strictEqual(failure?.reason, reason.message)
    assert.match(failure?.advice ?? "", /^Listen on process\.env\.PORT .* on 0\.0\.0\.0/)
  })
})

describe("setVariables", () => {
  const set = (key: string) =>
    setVariables(
      created,
      {
        deployId: second,
        requestedBy: "test",
        set: [{ key: VariableName.make(key), value: { keyId: "k1", sealed: "sealed" }, secret: true }],
        unset: []
      },
      nowMs
    )

  it("refuses what every app gets from Starform, and says which it is", () => {
    for (const key of ["PORT", "STARFORM_PROJECT", "STARFORM_GIT_COMMIT"]) {
      const problem = "is set by Starform for every app"
      assert.deepInclude(Result.getOrThrow(Result.flip(set(key))), {
        _tag: "InvalidInput",
        field: key,
        problem
      })
    }
    assert.isTrue(Result.isSuccess(set("STARFORM_FLAVOUR")))
  })
})

describe("INV-APP-6", () => {
  it("restores the live entry at a new ordinal when a rollout fails", () => {
    const before = live(created, first)
    const after = seen(deploying(before, second, 2), "failed")
    assert.strictEqual(phaseOf(after, second), "failed")
    assert.deepStrictEqual(after.desired, { ...before.live!.entry, ordinal: 3 })
    assert.deepStrictEqual(after.live, before.live)
  })

  it("leaves nothing desired when there never was a live one", () => {
    assert.isNull(seen(deploying(created, first), "failed").desired)
  })

  it("restores the live entry when a push that superseded a rollout fails to build", () => {
    const before = live(created, first)
    const half = pushed(deploying(before, second, 2), Specimens.deployId(3), 3)
    const after = failed(building(half, Specimens.deployId(3)), Specimens.deployId(3))
    assert.deepStrictEqual(after.desired, { ...before.live!.entry, ordinal: after.ordinal })
  })

  it("restores nothing when the superseded rollout has become live meanwhile", () => {
    const half = pushed(deploying(live(created, first), second, 2), Specimens.deployId(3), 3)
    const after = failed(building(seen(half, "available"), Specimens.deployId(3)), Specimens.deployId(3))
    assert.strictEqual(after.live?.entry.deployId, second)
    assert.deepStrictEqual(after.desired, after.live?.entry)
  })
})

describe("long histories", () => {
  it("keep the release that is live, so that it can be restarted, whatever was built since", () => {
    let state = live(created, first)
    for (let n = 2; n <= 130; n++) {
      state = recorded(
        building(pushed(state, Specimens.deployId(n), n), Specimens.deployId(n)),
        Specimens.deployId(n),
        n
      )
    }
    assert.isAtMost(state.deploys.length, 50)
    assert.isAtMost(state.releases.length, 101)
    const restart = { deployId: Specimens.deployId(200), requestedBy: "operator" }
    state = apply(state, Deploys.restart(state, restart, nowMs))
    state = rollingOut(state, restart.deployId)
    assert.strictEqual(state.desired?.releaseId as string, first)
    assert.strictEqual(state.desired?.restartNonce, restart.deployId)
  })
})
