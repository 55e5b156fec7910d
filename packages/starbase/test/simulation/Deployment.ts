/** The runners of one run: which are up, and the ways in which they stop being so. */
import type * as Exit from "effect/Exit"
import * as Effect from "effect/Effect"
import type { EntityClients } from "@starform/starbase/entities/EntityClients"
import type * as ModelBuilder from "./ModelBuilder.ts"
import * as Builder from "./ModelBuilder.ts"
import * as Runner from "./Runner.ts"
import type { Process, World } from "./World.ts"

type Clients = EntityClients["Service"]

/** Why an ask through a runner has no answer: its outcome is unknown. */
export class Unheard extends Error {
  readonly _tag = "Unheard"
}

/** One place where a runner can be; the process in it changes with every start. */
interface Place {
  readonly port: number
  runner: Runner.Runner | undefined
  starts: number
}

export class Deployment {
  readonly places: ReadonlyArray<Place>
  private readonly world: World
  private readonly outside: Process
  private readonly net: Process
  private readonly shared: Runner.Shared
  private readonly builders: ModelBuilder.BuilderFaults
  private readonly latency: () => number
  private readonly skewOf: (port: number) => number

  constructor(options: {
    readonly world: World
    readonly outside: Process
    readonly net: Process
    readonly shared: Runner.Shared
    readonly builders: ModelBuilder.BuilderFaults
    readonly runners: number
    readonly latency: () => number
    readonly skewOf: (port: number) => number
  }) {
    const { world, outside, net, shared, builders, runners, latency, skewOf } = options
    this.world = world
    this.outside = outside
    this.net = net
    this.shared = shared
    this.builders = builders
    this.latency = latency
    this.skewOf = skewOf
    this.places = Array.from({ length: runners }, (_, n) => ({
      port: 9001 + n,
      runner: undefined,
      starts: 0
    }))
  }

  start(place: Place): void {
    if (place.runner !== undefined) return
    const process = this.world.process(`r${place.port - 9000}.${++place.starts}`)
    process.clockSkewMs = this.skewOf(place.port)
    this.world.note(process.name, "starts")
    place.runner = Runner.start(this.shared, process, place.port, Builder.layer(process, this.builders))
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

  /** One that is up, frozen ones among them: a load balancer does not know better. */
  private pick(): Runner.Runner | undefined {
    const up = this.places.flatMap(({ runner }) => (runner?.clients() === undefined ? [] : [runner]))
    return up.length === 0 ? undefined : this.world.chance.pick(up)
  }

  /** An ask of somebody outside, through one runner by chance. A runner that ends leaves it unheard. */
  ask<A, E>(what: (clients: Clients) => Effect.Effect<A, E>): Effect.Effect<A, E | Unheard> {
    return this.outside.wait<A, E | Unheard>((answer) => {
      let hangUp: (() => void) | undefined
      this.net.after(this.latency(), () => {
        const runner = this.pick()
        const clients = runner?.clients()
        if (runner === undefined || clients === undefined || runner.process.state === "ended") {
          answer(Effect.fail(new Unheard("nobody is up")))
          return
        }
        const stopWatching = runner.process.whenEnded(() =>
          answer(Effect.fail(new Unheard("the runner ended")))
        )
        const heard = (exit: Exit.Exit<A, E>) =>
          Effect.sync(() => {
            stopWatching()
            this.net.after(this.latency(), () => answer(exit))
          })
        hangUp = runner.process.fork(
          Effect.onExit(
            Effect.suspend(() => what(clients)),
            heard
          )
        )
      })
      // Whoever goes away closes the connection, and the runner stops waiting for its own ask.
      return () => this.net.after(this.latency(), () => hangUp?.())
    })
  }
}
