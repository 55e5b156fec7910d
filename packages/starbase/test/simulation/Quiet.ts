/** While a run lasts, what the runtime and the libraries would take from the machine comes from the world. */
import { createHash } from "node:crypto"
import * as Digest from "effect/crypto/Digest"
import type { World } from "./World.ts"

interface Replaced {
  random: () => number
}

/** SHA-256 at once: the web's answers with a promise, which no virtual time waits for. */
const sha256 = (data: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(data).digest())

/** A run is one synchronous call, so nobody else sees the machine without its clock and its chance. */
export const during = <A>(world: World, run: () => A): A => {
  const [math, date, algorithm] = [
    Math as Replaced,
    Date as { now: () => number },
    Digest.sha256 as { implementation: unknown }
  ]
  const { random } = math
  const { now } = date
  const { implementation } = algorithm
  const chance = world.chance.fork("machine")
  math.random = chance.next
  date.now = () => Math.floor(world.nowMs)
  algorithm.implementation = sha256
  try {
    return run()
  } finally {
    math.random = random
    date.now = now
    algorithm.implementation = implementation
  }
}
