/**
 * Real ports of pods. They come from a range below the system's ephemeral ports, so that no outgoing connection
 * can take one between allocation and the app's own `listen`, and each is tried before it is given out.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { KubeletConfig } from "./KubeletConfig.ts"
import { canListen } from "./internal/canListen.ts"

/** No port of the range is free. */
export class PortsExhausted extends Schema.TaggedError<PortsExhausted>()("PortsExhausted", {
  portFirst: Schema.Int,
  portLast: Schema.Int
}) {
  override get message() {
    return `no free port between ${this.portFirst} and ${this.portLast}`
  }
}

export class PortAllocator extends Context.Service<
  PortAllocator,
  {
    /** `preferred` is given again when it is still free. Held until released. */
    readonly allocate: (preferred?: number) => Effect.Effect<number, PortsExhausted>
    readonly release: (port: number) => Effect.Effect<void>
  }
>()("@starform/launchpad/runtime/PortAllocator") {}

const make = Effect.gen(function* () {
  const { portFirst, portLast } = yield* KubeletConfig
  const held = new Set<number>()

  const claim = Effect.fnUntraced(function* (port: number) {
    if (port < portFirst || port > portLast || held.has(port)) {
      return false
    }
    held.add(port)
    const free = yield* canListen(port)
    if (!free) {
      held.delete(port)
    }
    return free
  })

  const allocate = Effect.fn("PortAllocator.allocate")(function* (preferred?: number) {
    if (preferred !== undefined && (yield* claim(preferred))) {
      return preferred
    }
    const size = portLast - portFirst + 1
    const start = yield* Random.nextIntBetween(0, size)
    for (let step = 0; step < size; step += 1) {
      const port = portFirst + ((start + step) % size)
      if (yield* claim(port)) {
        return port
      }
    }
    return yield* new PortsExhausted({ portFirst, portLast })
  })

  return PortAllocator.of({ allocate, release: (port) => Effect.sync(() => void held.delete(port)) })
})

export const layerNoDeps = Layer.effect(PortAllocator, make)
