/**
 * The API server under the integration tests: Launchpad's, in memory, of each test's own; or in `npm run test:kubernetes` one
 * real server for all, whose namespaces are removed after each test.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Controllers from "@starform/launchpad/controllers/Controllers"
import * as ControllersConfig from "@starform/launchpad/controllers/ControllersConfig"
import * as EventRecorder from "@starform/launchpad/controllers/EventRecorder"
import { ClusterObjects } from "@starform/launchpad/kubernetes/ClusterObjects"
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"
import { Context, Effect, Layer, Option } from "effect"
import { HttpServer } from "effect/http"
import { cleanPath } from "../apiserver/PassThrough.ts"
import { realUrl } from "../apiserver/RealServer.ts"

export const isReal = realUrl !== null

const controllers = Controllers.layerNoDeps.pipe(
  Layer.provide(EventRecorder.layerNoDeps),
  Layer.provide(ControllersConfig.layer())
)

/** Where the API server keeps what a path of one object in a namespace names. */
const placeOf = (path: string): { readonly resource: string; readonly namespace: string } => {
  const parts = path.split("/")
  const [plural = "", namespace = ""] = [parts.at(-2), parts.at(-3)]
  return { resource: parts[1] === "api" ? plural : `${parts[2]}/${plural}`, namespace }
}

const inMemory = Effect.gen(function* () {
  const context = yield* Layer.build(
    KubernetesServer.layerTest.pipe(
      Layer.provide(KubernetesServer.layerNoLogs),
      Layer.provide(NodeServices.layer)
    )
  )
  const { address } = Context.get(context, HttpServer.HttpServer)
  const port = "port" in address ? address.port : 0
  const store = Context.get(context, ClusterObjects)
  return {
    url: `http://127.0.0.1:${port}`,
    /** An object as it is now, without a request; `null` when it is not there. */
    peek: (path: string) =>
      Effect.map(store.get({ ...placeOf(path), name: path.split("/").at(-1) ?? "" }), (object): unknown =>
        Option.getOrNull(object)
      ),
    peekAll: (collection: string) => {
      const { namespace, resource } = placeOf(`${collection}/`)
      return Effect.map(store.list(resource, { namespace }), (objects): ReadonlyArray<unknown> => objects)
    },
    /** Pods are made, and none of them runs. */
    startControllers: Effect.asVoid(Effect.provide(Layer.build(controllers), context))
  }
})

const peekFrom = (url: string, path: string) =>
  Effect.promise(async (): Promise<unknown> => {
    const answer = await fetch(`${url}${path}`)
    const object: unknown = await answer.json()
    return answer.status === 404 ? null : object
  })

const real = (url: string) =>
  Effect.as(
    Effect.addFinalizer(() =>
      Effect.promise(async () => {
        const answer = await fetch(`${url}${cleanPath}`, { method: "POST" })
        if (answer.status !== 204) throw new Error(`not cleaned: ${await answer.text()}`)
      })
    ),
    {
      url,
      peek: (path: string) => peekFrom(url, path),
      peekAll: (collection: string) =>
        Effect.map(
          peekFrom(url, collection),
          (list) => (list as { readonly items: ReadonlyArray<unknown> }).items
        ),
      startControllers: Effect.void
    }
  )

export const server = realUrl === null ? inMemory : real(realUrl)

/** Kubernetes puts these into every namespace. */
const everywhere = ["/serviceaccounts/default", "/configmaps/kube-root-ca.crt"]

export const isKubernetesOwn = (path: string): boolean => everywhere.some((end) => path.endsWith(end))
