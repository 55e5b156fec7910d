/**
 * The API server under the integration tests: Launchpad's, in memory, of each test's own; or in `npm run test:kubernetes` one
 * real server for all, whose namespaces are removed after each test.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Controllers from "@starform/launchpad/controllers/Controllers"
import * as ControllersConfig from "@starform/launchpad/controllers/ControllersConfig"
import * as EventRecorder from "@starform/launchpad/controllers/EventRecorder"
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"
import { Context, Effect, Layer } from "effect"
import { HttpServer } from "effect/http"
import { cleanPath } from "../apiserver/PassThrough.ts"
import { realUrl } from "../apiserver/RealServer.ts"

export const isReal = realUrl !== null

const controllers = Controllers.layerNoDeps.pipe(
  Layer.provide(EventRecorder.layerNoDeps),
  Layer.provide(ControllersConfig.layer())
)

const inMemory = Effect.gen(function* () {
  const context = yield* Layer.build(
    KubernetesServer.layerTest.pipe(
      Layer.provide(KubernetesServer.layerNoLogs),
      Layer.provide(NodeServices.layer)
    )
  )
  const { address } = Context.get(context, HttpServer.HttpServer)
  const port = "port" in address ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    /** Pods are made, and none of them runs. */
    startControllers: Effect.asVoid(Effect.provide(Layer.build(controllers), context))
  }
})

const real = (url: string) =>
  Effect.as(
    Effect.addFinalizer(() =>
      Effect.promise(async () => {
        const answer = await fetch(`${url}${cleanPath}`, { method: "POST" })
        if (answer.status !== 204) throw new Error(`not cleaned: ${await answer.text()}`)
      })
    ),
    { url, startControllers: Effect.void }
  )

export const server = realUrl === null ? inMemory : real(realUrl)

/** Kubernetes puts these into every namespace. */
const everywhere = ["/serviceaccounts/default", "/configmaps/kube-root-ca.crt"]

export const isKubernetesOwn = (path: string): boolean => everywhere.some((end) => path.endsWith(end))
