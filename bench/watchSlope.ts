/** The heap of the agent's watch over very many changes of equally many objects. */
import { setTimeout as sleep } from "node:timers/promises"
import { start } from "./program.ts"
import { programFile, progress } from "./report.ts"

interface Heap {
  readonly bytes: number
  readonly objects: number
  readonly errors: number
}

const steps = 10

/** Live heap after each tenth of the changes, and how many bytes of it each change left behind, the first tenths aside. */
export const watchSlope = async (changes: number, objects: number) => {
  const server = await start(programFile("packages/shuttle/bench/WatchEvents.process.ts"), [String(objects)])
  const watch = await start(
    programFile("packages/shuttle/bench/WatchedPods.process.ts"),
    [await server.ask<string>("url")],
    ["--expose-gc"]
  )
  const heaps: Array<number> = []
  const from = performance.now()
  for (let step = 1; step <= steps; step++) {
    const { newest } = await server.ask<{ newest: number }>("tell", changes / steps)
    while ((await watch.ask<number>("newest")) < newest) await sleep(20)
    const heap = await watch.ask<Heap>("heap")
    if (heap.objects !== objects || heap.errors > 0) {
      throw new Error(`${heap.objects} objects instead of ${objects}, ${heap.errors} errors`)
    }
    heaps.push(heap.bytes)
  }
  const seconds = (performance.now() - from) / 1000
  await watch.stop()
  await server.stop()
  const later = heaps.slice(2)
  const bytesPerChange = (later.at(-1)! - later[0]!) / ((changes / steps) * (later.length - 1))
  progress(
    `  ${changes} changes in ${seconds.toFixed(0)} s; heap ${heaps.map((bytes) => (bytes / 2 ** 20).toFixed(1)).join(", ")} MiB`
  )
  return { changes, objects, heaps, bytesPerChange, changesPerSecond: changes / seconds }
}
