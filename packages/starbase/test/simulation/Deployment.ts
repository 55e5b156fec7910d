/** The runners of one run: which are up, the ways in which they stop being so, and the way to them from outside. */
import type * as Exit from "effect/Exit"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import type { Role } from "@starform/starbase/StarbaseConfig"
import { AgentDoor, type Doors, type Shared } from "./Composition.ts"
import type * as ModelBuilder from "./ModelBuilder.ts"
import * as Runner from "./Runner.ts"
import type { Passage } from "./Store.ts"
import type { Process, World } from "./World.ts"

type Clients = EntityClients["Service"]

/** What becomes of a request from outside. */
export interface Journey extends Passage {
  /** Whoever asks hears nothing at all, where another hears that the connection broke. */
  readonly isSilent?: boolean
  /** The request arrives once more, this much later, at any door: whoever stands between repeats what had no answer. */
  readonly againMs?: number | null
}

/** What may come from outside. */
export type Errand = "command" | "look" | "pull" | "report" | "push"

export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
}

/** Why an ask through a runner has no answer: its outcome is unknown. */
export class Unheard extends Error {
  readonly _tag = "Unheard"
}

/** One place where a runner can be; the process in it changes with every start. */
interface Place {
  readonly port: number
  readonly role: Role
  runner: Runner.Runner | undefined
  starts: number
}

export class Deployment {
  readonly places: ReadonlyArray<Place>
  private readonly world: World
  private readonly outside: Process
  private readonly net: Process
  private readonly shared: Shared
  private readonly builders: ModelBuilder.BuilderFaults
  private readonly journeyOf: (errand: Errand) => Journey
  private readonly skewOf: (port: number) => number

  constructor(options: {
    readonly world: World
    readonly outside: Process
    readonly net: Process
    readonly shared: Shared
    readonly builders: ModelBuilder.BuilderFaults
    readonly roles: ReadonlyArray<Role>
    readonly journeyOf: (errand: Errand) => Journey
    readonly skewOf: (port: number) => number
  }) {
    const { world, outside, net, shared, builders, roles, journeyOf, skewOf } = options
    this.world = world
    this.outside = outside
    this.net = net
    this.shared = shared
    this.builders = builders
    this.journeyOf = journeyOf
    this.skewOf = skewOf
    this.places = roles.map((role, n) => ({ port: 9001 + n, role, runner: undefined, starts: 0 }))
  }

  start(place: Place): void {
    if (place.runner !== undefined) return
    const process = this.world.process(
      `${place.role === "worker" ? "w" : "r"}${place.port - 9000}.${++place.starts}`
    )
    process.clockSkewMs = this.skewOf(place.port)
    this.world.note(process.name, "starts")
    place.runner = Runner.start(this.shared, process, place, this.builders)
  }

  crash(place: Place): void {
    const { runner } = place
    if (runner === undefined) return
    this.world.note(runner.process.name, "crashes")
    place.runner = undefined
    runner.process.kill()
  }

  freeze(place: Place, ms: number): void {
    const { runner } = place
    if (runner === undefined || runner.process.state !== "running") return
    const { process } = runner
    this.world.note(process.name, `freezes for ${Math.round(ms)} ms`)
    process.freeze()
    this.outside.after(ms, () => {
      if (process.state === "frozen") this.world.note(process.name, "goes on")
      process.thaw()
    })
  }

  /** Hands over and starts anew; whoever stops for too long is killed, as by a supervisor. */
  replace(place: Place, patienceMs: number): void {
    const { runner } = place
    if (runner === undefined || runner.process.state !== "running") return
    this.world.note(runner.process.name, "stops")
    const again = () => {
      if (place.runner !== runner) return
      this.world.note(runner.process.name, "has stopped")
      place.runner = undefined
      this.start(place)
    }
    runner.stop(again)
    this.outside.after(patienceMs, () => {
      if (place.runner !== runner) return
      this.world.note(runner.process.name, "is killed after it did not stop")
      runner.process.kill()
      again()
    })
  }

  /** One that is up and has doors, frozen ones among them: a load balancer does not know better. */
  private pick(): Runner.Runner | undefined {
    const up = this.places.flatMap(({ runner }) => (runner?.doors() === undefined ? [] : [runner]))
    return up.length === 0 ? undefined : this.world.chance.pick(up)
  }

  /** Something of somebody outside, done by one runner by chance. A runner that ends leaves it unheard. */
  visit<A, E>(errand: Errand, what: Effect.Effect<A, E, Doors>): Effect.Effect<A, E | Unheard> {
    return this.outside.wait<A, E | Unheard>((answer) => {
      const { there, back, fate, isSilent = false, againMs = null } = this.journeyOf(errand)
      const hangUps: Array<() => void> = []
      const broken = (why: string) => {
        if (!isSilent) answer(Effect.fail(new Unheard(why)))
      }
      const arrive = (heard: (exit: Exit.Exit<A, E>) => void) => {
        const runner = this.pick()
        const doors = runner?.doors()
        if (runner === undefined || doors === undefined || runner.process.state === "ended") {
          return broken("nobody is up")
        }
        const stopWatching = runner.process.whenEnded(() => broken("the runner ended"))
        const done = (exit: Exit.Exit<A, E>) =>
          Effect.sync(() => {
            stopWatching()
            heard(exit)
          })
        hangUps.push(runner.process.fork(what.pipe(Effect.provideContext(doors), Effect.onExit(done))))
      }
      this.net.after(there, () => {
        if (fate === "lost") return this.net.after(back, () => broken("the request is lost"))
        if (againMs !== null) this.net.after(againMs, () => arrive(() => undefined))
        arrive((exit) =>
          this.net.after(back, () => (fate === "unheard" ? broken("the answer is lost") : answer(exit)))
        )
      })
      // Whoever goes away closes the connection, and the runner stops waiting for its own ask.
      return () => this.net.after(there, () => hangUps.forEach((hangUp) => hangUp()))
    })
  }

  /** An ask of an entity. */
  ask<A, E>(
    what: (clients: Clients) => Effect.Effect<A, E>,
    errand: Errand = "command"
  ): Effect.Effect<A, E | Unheard> {
    return this.visit(errand, Effect.flatMap(EntityClients, what))
  }

  /** A request of an agent. */
  request(errand: Errand, request: HttpClientRequest.HttpClientRequest): Effect.Effect<HttpAnswer, Unheard> {
    const answered = Effect.gen(function* () {
      const door = yield* AgentDoor
      const response = yield* door.pipe(
        Effect.provideService(
          HttpServerRequest.HttpServerRequest,
          HttpServerRequest.fromClientRequest(request)
        ),
        Effect.scoped,
        Effect.orDie
      )
      const { status, headers, body } = response
      const text = body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : ""
      return { status, headers, body: text }
    })
    return this.visit(errand, answered)
  }
}
