/** One runner: a composition of Starbase in a process that the world can stop. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Role } from "@starform/starbase/StarbaseConfig"
import * as Composition from "./Composition.ts"
import * as Builder from "./ModelBuilder.ts"
import type { Process } from "./World.ts"

const host = "10.0.0.1"

export const addressOf = (port: number) => `${host}:${port}`

export interface Runner {
  readonly process: Process
  readonly port: number
  readonly role: Role
  /** Of one that is up and has doors. */
  readonly doors: () => Context.Context<Composition.Doors> | undefined
  /** Hands its shards over and ends; `done` is called in the end. */
  readonly stop: (done: () => void) => void
}

export const start = (
  shared: Composition.Shared,
  process: Process,
  { port, role }: { readonly port: number; readonly role: Role },
  builders: Builder.BuilderFaults
): Runner => {
  const scope = Scope.makeUnsafe()
  let doors: Context.Context<Composition.Doors> | undefined
  const built = Composition.build({ shared, process, host, port, role }, Builder.layer(process, builders))
  process.fork(
    Scope.provide(built, scope).pipe(
      Effect.matchCause({
        onSuccess: (services) => {
          doors = services ?? undefined
          process.world.note(process.name, "is up")
        },
        onFailure: (cause) => process.world.note(process.name, `did not start: ${String(cause)}`)
      })
    )
  )
  return {
    process,
    port,
    role,
    doors: () => doors,
    stop: (done) =>
      process.fork(
        Effect.andThen(
          Scope.close(scope, Exit.void),
          Effect.sync(() => {
            process.kill()
            done()
          })
        )
      )
  }
}
