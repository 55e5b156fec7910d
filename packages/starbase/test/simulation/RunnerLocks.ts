/**
 * Runners and shard locks as PostgreSQL keeps them for effect when locks are leases: one owner per shard, and a lock that
 * nobody refreshes is free after its expiry. The storage in memory that effect brings gives every shard to everybody.
 */
import { PersistenceError } from "effect/cluster/ClusterError"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as Effect from "effect/Effect"
import { Unavailable } from "@starform/domain/errors/RequestErrors"
import type * as RunnerVerdict from "@starform/starbase/runners/RunnerVerdict"
import { RunnerViews } from "@starform/starbase/runners/RunnerViews"
import { ask, type Store } from "./Store.ts"
import type { Process } from "./World.ts"

interface Lock {
  owner: string
  atMs: number
}

interface Registration {
  readonly runner: string
  healthy: boolean
  seenAtMs: number
}

/** What all runners share. Every function is one statement of a database. */
export class RunnerLocks {
  private readonly runners = new Map<string, Registration>()
  private readonly locks = new Map<string, Lock>()
  private readonly views = new Map<
    string,
    { readonly seen: ReadonlyMap<string, boolean>; readonly atMs: number }
  >()
  private machines = 0
  readonly expiryMs: number

  constructor(expiryMs: number) {
    this.expiryMs = expiryMs
  }

  private isFree(lock: Lock | undefined, address: string, nowMs: number): boolean {
    return lock === undefined || lock.owner === address || nowMs - lock.atMs > this.expiryMs
  }

  register(address: string, runner: string, healthy: boolean, nowMs: number): number {
    this.runners.set(address, { runner, healthy, seenAtMs: nowMs })
    return this.machines++
  }

  unregister(address: string): void {
    this.runners.delete(address)
  }

  setHealth(address: string, healthy: boolean): void {
    const registration = this.runners.get(address)
    if (registration !== undefined) registration.healthy = healthy
  }

  present(nowMs: number): Array<readonly [string, boolean]> {
    return [...this.runners.values()]
      .filter(({ seenAtMs }) => nowMs - seenAtMs < this.expiryMs)
      .map(({ runner, healthy }) => [runner, healthy] as const)
  }

  acquire(address: string, shards: ReadonlyArray<string>, nowMs: number): Array<string> {
    return shards.filter((shard) => {
      const isMine = this.isFree(this.locks.get(shard), address, nowMs)
      if (isMine) this.locks.set(shard, { owner: address, atMs: nowMs })
      return isMine
    })
  }

  refresh(address: string, shards: ReadonlyArray<string>, nowMs: number): Array<string> {
    const registration = this.runners.get(address)
    if (registration !== undefined) registration.seenAtMs = nowMs
    return shards.filter((shard) => {
      const lock = this.locks.get(shard)
      if (lock?.owner !== address) return false
      lock.atMs = nowMs
      return true
    })
  }

  release(address: string, shard: string): void {
    if (this.locks.get(shard)?.owner === address) this.locks.delete(shard)
  }

  releaseAll(address: string): void {
    for (const [shard, { owner }] of this.locks) {
      if (owner === address) this.locks.delete(shard)
    }
  }

  tell(observer: string, seen: ReadonlyMap<string, boolean>, nowMs: number): void {
    this.views.set(observer, { seen: new Map(seen), atMs: nowMs })
  }

  told(nowMs: number): RunnerVerdict.RunnerViews {
    return new Map(
      [...this.views]
        .filter(([, { atMs }]) => nowMs - atMs < this.expiryMs)
        .map(([observer, { seen }]) => [observer, seen])
    )
  }

  forget(observer: string): void {
    this.views.delete(observer)
  }

  /** Who may act on a shard now. */
  ownerOf(shard: string, nowMs: number): string | undefined {
    const lock = this.locks.get(shard)
    return lock === undefined || nowMs - lock.atMs > this.expiryMs ? undefined : lock.owner
  }
}

const broken = (operation: string) => new PersistenceError({ cause: `${operation}: the connection is gone` })

/** The way of one runner to the locks. Time is the store's, as `now()` of a database. */
export const storage = (
  locks: RunnerLocks,
  store: Store,
  from: Process
): RunnerStorage.RunnerStorage["Service"] => {
  const run = <A>(operation: string, perform: (nowMs: number) => A): Effect.Effect<A, PersistenceError> =>
    ask(
      store,
      from,
      operation,
      Effect.sync(() => perform(store.process.world.nowMs)),
      broken
    )
  return RunnerStorage.makeEncoded({
    register: (address, runner, healthy) =>
      run("locks.register", (now) => locks.register(address, runner, healthy, now)),
    unregister: (address) => run("locks.unregister", () => locks.unregister(address)),
    getRunners: run("locks.runners", (now) => locks.present(now)),
    setRunnerHealth: (address, healthy) => run("locks.health", () => locks.setHealth(address, healthy)),
    acquire: (address, shards) => run("locks.acquire", (now) => locks.acquire(address, shards, now)),
    refresh: (address, shards) => run("locks.refresh", (now) => locks.refresh(address, shards, now)),
    release: (address, shard) => run("locks.release", () => locks.release(address, shard)),
    releaseAll: (address) => run("locks.releaseAll", () => locks.releaseAll(address))
  })
}

/** The way of one runner to what runners tell of each other. */
export const views = (locks: RunnerLocks, store: Store, from: Process): RunnerViews["Service"] => {
  const run = <A>(operation: string, perform: (nowMs: number) => A): Effect.Effect<A, Unavailable> =>
    ask(
      store,
      from,
      operation,
      Effect.sync(() => perform(store.process.world.nowMs)),
      (what) => new Unavailable({ what })
    )
  return RunnerViews.of({
    tell: (observer, seen) => {
      const now = new Map(seen)
      return run("views.tell", (nowMs) => locks.tell(observer, now, nowMs))
    },
    told: run("views.told", (nowMs) => locks.told(nowMs)),
    forget: (observer) => run("views.forget", () => locks.forget(observer))
  })
}
