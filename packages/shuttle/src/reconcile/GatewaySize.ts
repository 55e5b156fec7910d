/**
 * The size of the cluster's load balancer: one annotation of the Gateway, which somebody else made and owns. Its controller
 * passes it on to the load balancer. A Gateway that is not there is waited for, never made (INV-REC-8).
 *
 * @source reference specification §8, load balancer lifecycle
 */
import type { ClusterConfig } from "@starform/domain/desired/DesiredState"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { KubernetesClient } from "../kubernetes/KubernetesClient.ts"
import { fieldManager } from "../kubernetes/ObservedObject.ts"
import type { ObjectReference } from "../kubernetes/ResourceKind.ts"
import { jitteredPause } from "../pacing/JitteredPause.ts"
import { logFailure } from "../pacing/LogFailure.ts"
import { Tenure } from "../leadership/Tenure.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { DesiredStateHolder } from "../starbase/DesiredStateHolder.ts"

const sizeAnnotation = "service.beta.kubernetes.io/do-loadbalancer-size-unit"

/** @source reference specification §4.6 */
const [smallest, largest] = [1, 200]

const decodeSpec = Schema.decodeUnknownOption(
  Schema.Struct({
    infrastructure: Schema.Struct({ annotations: Schema.Record(Schema.String, Schema.String) })
  })
)

const sizeOf = (spec: unknown): string | undefined =>
  Option.getOrUndefined(decodeSpec(spec))?.infrastructure.annotations[sizeAnnotation]

const make = Effect.gen(function* () {
  const settings = yield* ShuttleConfig
  const client = yield* KubernetesClient
  const holder = yield* DesiredStateHolder
  const tenure = yield* Tenure
  const gateway: ObjectReference = {
    kind: "Gateway",
    namespace: settings.gatewayNamespace,
    name: settings.gatewayName
  }

  const write = Effect.fn("GatewaySize.write")(function* (units: number) {
    const found = yield* client.get(gateway)
    if (sizeOf(found.spec) === String(units)) return
    const infrastructure = { annotations: { [sizeAnnotation]: String(units) } }
    yield* client.applyFields(found, { infrastructure }, fieldManager)
    yield* Effect.logInfo("The load balancer gets another size", { units })
  })

  const settle = ({ lbSizeUnits }: ClusterConfig) => {
    if (lbSizeUnits === undefined) return Effect.void
    if (lbSizeUnits < smallest || lbSizeUnits > largest) {
      return Effect.logWarning("Starbase asks for a load balancer of a size that there is not", {
        lbSizeUnits
      })
    }
    return write(lbSizeUnits).pipe(
      Effect.catchTag("ObjectNotFound", () => Effect.logDebug("There is no Gateway yet", { ...gateway }))
    )
  }

  /** Ends with the next document that wants another size; until then it looks again every now and then. */
  const keep = (config: ClusterConfig) => {
    let failures = 0
    return settle(config).pipe(
      Effect.map(() => {
        failures = 0
      }),
      Effect.catch((error) => {
        failures += 1
        return logFailure(failures - 1)("The size of the load balancer is not as wanted", {
          problem: error.message
        })
      }),
      Effect.andThen(jitteredPause(settings.reconcileInterval, settings.reconcileInterval, 1)),
      Effect.flatMap(Effect.sleep),
      Effect.forever
    )
  }

  yield* holder.changes.pipe(
    Stream.map(({ clusterConfig }) => clusterConfig),
    Stream.changesWith((a, b) => a.lbSizeUnits === b.lbSizeUnits),
    Stream.switchMap((config) => Stream.fromEffect(keep(config))),
    Stream.runDrain,
    tenure.whileLeading,
    Effect.forkScoped
  )
})

export const layer: Layer.Layer<
  never,
  never,
  ShuttleConfig | KubernetesClient | DesiredStateHolder | Tenure
> = Layer.effectDiscard(make)
