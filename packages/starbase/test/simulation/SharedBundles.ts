/** The table of the newest bundles, each function one statement, behind the road of each process. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import type { Digest } from "@starform/domain/ids/Digest"
import { BundleIndex, type KnownBundle } from "@starform/starbase/git/BundleIndex"
import type { RepositoryName } from "@starform/starbase/git/RepositoryName"
import { ask, type Store } from "./Store.ts"
import type { Process } from "./World.ts"

const keyOf = ({ projectId, service }: RepositoryName) => `${projectId}/${service}`

const broken = (operation: string) =>
  new SqlError({ reason: new ConnectionError({ cause: "the connection is gone", operation }) })

export class BundleTable {
  /** By `<project>/<service>`. */
  readonly rows = new Map<string, KnownBundle>()

  private record(name: RepositoryName, digest: Digest, refsHash: string, instead: Digest | null): boolean {
    const held = this.rows.get(keyOf(name))
    if (held !== undefined && held.digest !== instead) return false
    const superseded = held === undefined ? null : held.digest === digest ? held.superseded : held.digest
    this.rows.set(keyOf(name), { digest, refsHash, superseded })
    return true
  }

  private forget(name: RepositoryName, superseded: Digest): void {
    const held = this.rows.get(keyOf(name))
    if (held?.superseded === superseded) this.rows.set(keyOf(name), { ...held, superseded: null })
  }

  layer(store: Store, from: Process): Layer.Layer<BundleIndex> {
    const run = <A>(operation: string, perform: () => A) =>
      ask(store, from, `bundles.${operation}`, Effect.sync(perform), broken)
    return Layer.succeed(
      BundleIndex,
      BundleIndex.of({
        newest: (name) => run("newest", () => Option.fromNullishOr(this.rows.get(keyOf(name)))),
        record: (name, digest, refsHash, instead) =>
          run("record", () => this.record(name, digest, refsHash, instead)),
        isNewest: (digest) =>
          run("isNewest", () => [...this.rows.values()].some((row) => row.digest === digest)),
        forget: (name, superseded) => run("forget", () => this.forget(name, superseded))
      })
    )
  }
}
