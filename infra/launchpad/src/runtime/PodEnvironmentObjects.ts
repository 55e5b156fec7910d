/** Reads the ConfigMaps and Secrets that a container's environment refers to. Values are in memory only. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { strings } from "../controllers/objects/FieldSchemas.ts"
import { ClusterObjects } from "../kubernetes/ClusterObjects.ts"
import { environmentReferences, type EnvironmentSources, type Variables } from "./ContainerEnvironment.ts"
import type { ContainerSpecification } from "./PodSpecification.ts"

const decodeVariables = Schema.decodeUnknownOption(strings)

const decodeBase64 = (data: Variables): Variables =>
  Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")])
  )

/** Objects that do not exist are left out. */
export const environmentSources = Effect.fn("PodEnvironmentObjects.read")(function* (
  namespace: string,
  container: ContainerSpecification
): Effect.fn.Return<EnvironmentSources, never, ClusterObjects> {
  const objects = yield* ClusterObjects
  const references = environmentReferences(container)

  const load = Effect.fnUntraced(function* (resource: string, names: ReadonlyArray<string>) {
    const found = new Map<string, Variables>()
    for (const name of new Set(names)) {
      const object = yield* objects.get({ resource, namespace, name })
      if (Option.isSome(object)) {
        found.set(
          name,
          Option.getOrElse(decodeVariables(object.value["data"]), () => ({}))
        )
      }
    }
    return found
  })

  const secrets = yield* load("secrets", references.secrets)
  return {
    configMaps: yield* load("configmaps", references.configMaps),
    secrets: new Map([...secrets].map(([name, data]) => [name, decodeBase64(data)]))
  }
})
