/** The agent's watch of one kind, and its index. Needs `--expose-gc`. Argument: the API server's URL. */
import * as KubernetesClient from "@starform/shuttle/kubernetes/KubernetesClient"
import * as KubernetesConnection from "@starform/shuttle/kubernetes/KubernetesConnection"
import { ObjectIndex } from "@starform/shuttle/kubernetes/ObjectIndex"
import * as WatchedResource from "@starform/shuttle/kubernetes/WatchedResource"
import * as Tenure from "@starform/shuttle/leadership/Tenure"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import { serve } from "../../../bench/program.ts"

const settings = { ...ShuttleConfig.defaults, watchLife: Duration.hours(1), watchIdle: Duration.hours(1) }

const runtime = ManagedRuntime.make(
  KubernetesClient.layer.pipe(
    Layer.provide([
      ShuttleConfig.layerTest(settings),
      KubernetesConnection.layerToken(process.argv[2] ?? "", Redacted.make("bench")),
      Tenure.layerAlone
    ])
  )
)

const index = new ObjectIndex()
let newest = 0
let errors = 0

runtime.runFork(
  Effect.flatMap(KubernetesClient.KubernetesClient, (client) =>
    WatchedResource.run({
      kind: "Pod",
      labelSelector: "starform.io/managed-by=shuttle",
      client,
      index,
      settings,
      onChange: ({ resourceVersion }) => Effect.sync(() => void (newest = Number(resourceVersion))),
      onSynced: Effect.void,
      onContact: Effect.void,
      onError: () => Effect.sync(() => void (errors += 1))
    })
  )
)

serve(
  {
    newest: () => newest,
    heap: () => {
      globalThis.gc?.()
      const objects = index.namespaces().flatMap((namespace) => index.inNamespace(namespace)).length
      return { bytes: process.memoryUsage().heapUsed, objects, errors }
    }
  },
  () => runtime.dispose()
)
