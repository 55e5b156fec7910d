/** What goes wrong in a run, when, and for how long: all by chance, and all of it over when the storm is. */
import type { Chance } from "./Chance.ts"
import * as Runner from "./Runner.ts"
import type { Deployment, Errand, Journey } from "./Deployment.ts"
import type { ModelCluster } from "./ModelCluster.ts"
import type { SharedFiles } from "./SharedFiles.ts"
import type { Passage } from "./Store.ts"
import type { Wire } from "./Wire.ts"
import type { Process, World } from "./World.ts"

/** How the way of one process to the stores is. */
interface Weather {
  lost: number
  unheard: number
  /** Longest extra time each way. */
  slowMs: number
  /** Nothing is answered before this time, and what was asked is lost. */
  outUntilMs: number
  /** What is asked waits until this time, and is executed then. */
  stalledUntilMs: number
}

const fair = (): Weather => ({ lost: 0, unheard: 0, slowMs: 0, outUntilMs: 0, stalledUntilMs: 0 })

/** Errands that somebody on the way may repeat: the others are streams, or are asked again by whoever asks. */
const repeatable: ReadonlySet<Errand> = new Set<Errand>(["command", "pull", "report"])

export class Storm {
  private readonly chance: Chance
  private readonly internet: Chance
  private readonly machine: Chance
  private readonly weathers = new Map<string, Weather>()
  /** Of everybody. */
  private everywhere = fair()
  private readonly world: World
  isOver = false

  constructor(world: World) {
    this.world = world
    this.chance = world.chance.fork("storm")
    this.internet = world.chance.fork("internet")
    this.machine = world.chance.fork("machine room")
  }

  private weatherOf(name: string): Weather {
    const present = this.weathers.get(name)
    if (present !== undefined) return present
    const weather = fair()
    this.weathers.set(name, weather)
    return weather
  }

  /** What becomes of one request. */
  readonly passage = (from: Process): Passage => {
    const { chance, world } = this
    const there = chance.between(0.1, 1.5)
    const back = chance.between(0.1, 1.5)
    if (this.isOver) return { there, back, fate: "answered" }
    let fate: Passage["fate"] = "answered"
    let extra = 0
    for (const weather of [this.everywhere, this.weathers.get(from.name)]) {
      if (weather === undefined) continue
      if (weather.outUntilMs > world.nowMs || chance.is(weather.lost)) fate = "lost"
      else if (fate === "answered" && chance.is(weather.unheard)) fate = "unheard"
      extra = Math.max(extra, weather.stalledUntilMs - world.nowMs, weather.slowMs * chance.next() ** 3)
    }
    return chance.is(0.5) ? { there: there + extra, back, fate } : { there, back: back + extra, fate }
  }

  /** What becomes of a request from outside: some are slow enough for a later one to be first. */
  readonly journey = (errand: Errand): Journey => {
    const { internet } = this
    const [there, back] = [internet.between(0.1, 1), internet.between(0.1, 1)]
    if (this.isOver) return { there, back, fate: "answered" }
    const late = internet.is(0.1) ? 4_000 * internet.next() ** 3 : 0
    const drawn = internet.next()
    const fate = drawn < 0.03 ? "lost" : drawn < 0.06 ? "unheard" : "answered"
    return {
      there: there + late,
      back: internet.is(0.05) ? back + 4_000 * internet.next() ** 3 : back,
      fate,
      isSilent: errand !== "push" && internet.is(0.3),
      againMs: repeatable.has(errand) && internet.is(0.06) ? 3_000 * internet.next() ** 2 : null
    }
  }

  /** What becomes of one thing that a machine does by itself, `bad` times in a hundred. */
  private local(bad: number, slowMs: number): Passage {
    const { machine } = this
    const [there, back] = [machine.between(0.05, 0.5), machine.between(0.05, 0.5)]
    if (this.isOver) return { there, back, fate: "answered" }
    const drawn = machine.next() * 100
    const fate = drawn < bad / 2 ? "lost" : drawn < bad ? "unheard" : "answered"
    return { there: machine.is(0.03) ? there + slowMs * machine.next() : there, back, fate }
  }

  /** A disk that fails does not do what it was asked to. */
  readonly disk = (): Passage => {
    const passage = this.local(0.4, 200)
    return passage.fate === "unheard" ? { ...passage, fate: "lost" } : passage
  }

  readonly git = (): Passage => this.local(3, 3_000)

  readonly blobs = (): Passage => this.local(3, 3_000)

  readonly isFull = (): boolean => !this.isOver && this.machine.is(0.01)

  /** Begins one episode after the other until the storm is over. */
  begin(options: {
    readonly process: Process
    readonly deployment: Deployment
    readonly clusters: ReadonlyArray<ModelCluster>
    readonly wire: Wire
    readonly files: SharedFiles
    /** Some time after a repository is lost. */
    readonly onLoss: (path: string) => void
    readonly lastsMs: number
    /** Mean time between two episodes. */
    readonly everyMs: number
  }): void {
    const { chance, world } = this
    const { process, deployment, clusters, wire, files, onLoss, lastsMs, everyMs } = options
    const endsAt = world.nowMs + lastsMs
    const episode = () => {
      const left = endsAt - world.nowMs
      if (left <= 0) return
      this.strike(process, deployment, clusters, wire, files, onLoss, left)
      process.after(everyMs * -Math.log(1 - chance.next()), episode)
    }
    process.after(everyMs * chance.next(), episode)
    process.after(lastsMs, () => {
      world.note("storm", "is over")
      this.isOver = true
      wire.heal()
      for (const place of deployment.places) {
        place.runner?.process.thaw()
        deployment.start(place)
      }
    })
  }

  private during(process: Process, ms: number, weather: Weather, change: (weather: Weather) => void): void {
    change(weather)
    process.after(ms, () => Object.assign(weather, fair()))
  }

  private strike(
    process: Process,
    deployment: Deployment,
    clusters: ReadonlyArray<ModelCluster>,
    wire: Wire,
    files: SharedFiles,
    onLoss: (path: string) => void,
    leftMs: number
  ): void {
    const { chance, world } = this
    const place = chance.pick(deployment.places)
    const other = chance.pick(deployment.places)
    const [a, b] = [Runner.addressOf(place.port), Runner.addressOf(other.port)]
    const lasts = (ms: number) => Math.min(leftMs, chance.between(ms / 8, ms))
    const name = place.runner?.process.name
    const isForAll = name === undefined || chance.is(0.25)
    const weather = isForAll ? this.everywhere : this.weatherOf(name)
    const who = isForAll ? "all" : name
    switch (chance.below(13)) {
      case 0:
      case 1: {
        deployment.crash(place)
        process.after(lasts(12_000), () => deployment.start(place))
        return
      }
      case 2:
      case 3:
        return deployment.freeze(place, lasts(14_000))
      case 4:
        return deployment.replace(place, 10_000)
      case 5: {
        const ms = lasts(8_000)
        world.note("storm", `store does not answer ${who} for ${Math.round(ms)} ms`)
        return this.during(process, ms, weather, (now) => (now.outUntilMs = world.nowMs + ms))
      }
      case 6: {
        const ms = lasts(8_000)
        world.note("storm", `store stalls for ${who} for ${Math.round(ms)} ms`)
        return this.during(process, ms, weather, (now) => (now.stalledUntilMs = world.nowMs + ms))
      }
      case 7: {
        world.note("storm", `store is unreliable for ${who}`)
        return this.during(process, lasts(20_000), weather, (now) => {
          now.lost = chance.between(0, 0.1)
          now.unheard = chance.between(0, 0.1)
          now.slowMs = chance.between(0, 2_000)
        })
      }
      case 8: {
        if (a === b) return
        world.note("storm", `${a} and ${b} are cut`)
        return wire.cut(a, b)
      }
      case 9: {
        if (a === b) return
        world.note("storm", `nothing passes from ${a} to ${b}`)
        wire.block(a, b)
        if (chance.is(0.6)) wire.block(b, a)
        process.after(lasts(12_000), () => wire.heal())
        return
      }
      case 10:
      case 11: {
        const paths = [...files.disk.repositories.keys()]
        const kept = paths.filter((path) => (files.bundled(path)?.size ?? 0) > 0)
        if (paths.length === 0) return
        const path = chance.pick(kept.length > 0 && chance.is(0.8) ? kept : paths)
        world.note("storm", `${path} is lost`)
        files.lose(path)
        process.after(lasts(3_000), () => onLoss(path))
        return
      }
      default:
        return chance
          .pick(clusters)
          .restart(chance.pick(["from the last", "from an older one", "from nothing"] as const))
    }
  }
}
