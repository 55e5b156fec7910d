import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { RequestOptions } from "node:https"
import { KubernetesConnectionUnusable } from "../KubernetesErrors.ts"

/**
 * Header made by the kubeconfig's credential plugin; the library caches it and asks again when it expires.
 */
export const pluginAuthorization = (
  file: string
): Effect.Effect<Option.Option<Redacted.Redacted>, KubernetesConnectionUnusable> =>
  Effect.tryPromise({
    try: async () => {
      const { KubeConfig } = await import("@kubernetes/client-node")
      const config = new KubeConfig()
      config.loadFromFile(file)
      const options: RequestOptions = {}
      await config.applyToHTTPSOptions(options)
      const headers = new Map(
        Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value])
      )
      const value = headers.get("authorization")
      return typeof value === "string" ? Option.some(Redacted.make(value)) : Option.none()
    },
    catch: (cause) =>
      new KubernetesConnectionUnusable({ source: file, problem: "its credential plugin failed", cause })
  })
