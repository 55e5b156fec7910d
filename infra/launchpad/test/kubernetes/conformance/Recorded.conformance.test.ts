/** Every recording of `../fixtures`, sent to an empty cluster, is answered as Kubernetes answered it. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"
import { Effect, Layer } from "effect"
import * as Recording from "./Recording.ts"
import { replay } from "./Replay.ts"

const emptyCluster = KubernetesServer.layerTest.pipe(
  Layer.provide(KubernetesServer.layerNoLogs),
  Layer.provideMerge(NodeHttpClient.layerUndici)
)

describe("a recording of Kubernetes", () => {
  for (const recording of Recording.all()) {
    it.live(`${recording.name}: ${recording.about}`, () =>
      Effect.gen(function* () {
        const differences = yield* replay(recording)
        assert.strictEqual(differences.length, 0, `\n${differences.join("\n")}`)
      }).pipe(Effect.provide(emptyCluster))
    )
  }
})
