/**
 * The last look before a write leaves this process: asked by the HTTP client when it has a connection and is about to put the
 * request on it. A look before that may be old by a whole lease, because a process can be stopped between any two steps.
 */
import type { Dispatcher } from "@effect/platform-node/NodeHttpClient"
import { NotLeading } from "../KubernetesErrors.ts"

type Undici = Dispatcher["Service"]
type Handler = Parameters<Undici["dispatch"]>[1]

const checked = (inner: Handler, operation: string, mayWrite: () => boolean): Handler => ({
  onRequestStart: (controller, context) => {
    inner.onRequestStart?.(controller, context)
    if (!mayWrite()) controller.abort(new NotLeading({ operation }))
  },
  onRequestUpgrade: (controller, status, headers, socket) =>
    inner.onRequestUpgrade?.(controller, status, headers, socket),
  onResponseStart: (controller, status, headers, message) =>
    inner.onResponseStart?.(controller, status, headers, message),
  onResponseData: (controller, chunk) => inner.onResponseData?.(controller, chunk),
  onResponseEnd: (controller, trailers) => inner.onResponseEnd?.(controller, trailers),
  onResponseError: (controller, error) => inner.onResponseError?.(controller, error)
})

/** Lets a request that can change something go out only while `mayWrite`. @errors NotLeading as the cause otherwise */
export const checkedWrites = (dispatcher: Undici, mayWrite: () => boolean): Undici =>
  dispatcher.compose((dispatch) => (options, handler) => {
    const { method, path } = options
    return method === "GET"
      ? dispatch(options, handler)
      : dispatch(options, checked(handler, `${method} ${path}`, mayWrite))
  })
