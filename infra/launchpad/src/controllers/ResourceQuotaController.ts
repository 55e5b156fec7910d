/**
 * Keeps the account of ResourceQuotas: the first one, and what becomes free again. The server itself adds what it lets in;
 * counting and writing are one turn, so that nothing comes between them (INV-API-K8).
 */
import * as Effect from "effect/Effect"
import { hardOf, concerns, statusOf } from "../kubernetes/admission/QuotaUsage.ts"
import { ClusterObjects, type KubernetesObject } from "../kubernetes/ClusterObjects.ts"
import * as ResourceTypes from "../kubernetes/ResourceTypes.ts"
import * as Controller from "./Controller.ts"
import { converged } from "./KeyedLoop.ts"
import { sameJson } from "./objects/CanonicalJson.ts"
import { keyOf, objectKey } from "./objects/NamespacedKey.ts"
import { withField } from "./objects/ObjectFields.ts"

const quotas = "resourcequotas"

/** Events and leases come and go too often, and nobody limits them. */
const counted = ResourceTypes.all.filter(
  ({ namespaced, kind }) => namespaced && kind !== "Event" && kind !== "Lease"
)

const isCounted = (quota: KubernetesObject, type: (typeof counted)[number]): boolean =>
  Object.keys(hardOf(quota)).some((name) => concerns(type, name))

/** Runs the controller until the scope closes. */
export const start = Effect.gen(function* () {
  const objects = yield* ClusterObjects

  const reconcile = Effect.fn("ResourceQuotaController.reconcile")(function* (key: string) {
    yield* objects.modify(
      objectKey(quotas, key),
      (quota, list) => {
        const contents = counted
          .filter((type) => isCounted(quota, type))
          .flatMap((type) =>
            list(type.resource)
              .filter(({ metadata }) => metadata.namespace === quota.metadata.namespace)
              .map((object) => ({ type, object }))
          )
        const status = statusOf(quota, contents)
        return sameJson(quota["status"], status) ? undefined : withField(quota, ["status"], status)
      },
      { subresource: "status" }
    )
    return converged
  })

  const quotasOf = (type: (typeof counted)[number]) => (object: KubernetesObject) =>
    Effect.map(objects.list(quotas, { namespace: object.metadata.namespace ?? "" }), (all) =>
      all.filter((quota) => isCounted(quota, type)).map(keyOf)
    )

  yield* Controller.run({
    name: "resourcequota",
    resource: quotas,
    triggers: counted
      .filter(({ resource }) => resource !== quotas)
      .map((type) => ({ resource: type.resource, keys: quotasOf(type) })),
    reconcile
  })
})
