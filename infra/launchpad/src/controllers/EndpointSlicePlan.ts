/**
 * A Service and the pods it selects → its EndpointSlices. Pods differ in their real ports, so there is one slice
 * per distinct set of ports; its name says which, so that a slice is found again without an index.
 */
import { canonicalJson } from "./objects/CanonicalJson.ts"
import { matches } from "./objects/LabelSelector.ts"
import { isFinished, isReady, isTerminating, portMapping, type PodObject } from "./objects/PodObject.ts"
import { serviceNameLabel, type ServiceObject, type ServicePort } from "./objects/ServiceObject.ts"
import { fnv32a, safeEncode } from "./PodTemplateHash.ts"

/** Value of the label `endpointslice.kubernetes.io/managed-by`; slices of another manager are left alone. */
export const managedBy = "endpointslice-controller.k8s.io"
export const managedByLabel = "endpointslice.kubernetes.io/managed-by"

interface SlicePort {
  readonly name: string
  readonly port: number
  readonly protocol: string
  readonly appProtocol?: string
}

export interface PlannedSlice {
  readonly name: string
  readonly object: Readonly<Record<string, unknown>>
}

const containerPortOf = (pod: PodObject, port: ServicePort): number | undefined => {
  const target = port.targetPort ?? port.port
  return typeof target === "number"
    ? target
    : pod.spec.containers.flatMap((container) => container.ports).find((declared) => declared.name === target)
        ?.containerPort
}

const portsOf = (service: ServiceObject, pod: PodObject): ReadonlyArray<SlicePort> => {
  const mapping = portMapping(pod.metadata)
  return service.spec.ports.flatMap((port) => {
    const containerPort = containerPortOf(pod, port)
    return containerPort === undefined
      ? []
      : [
          {
            name: port.name,
            port: mapping[String(containerPort)] ?? containerPort,
            protocol: port.protocol,
            ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol })
          }
        ]
  })
}

const endpointOf = (service: ServiceObject, pod: PodObject): Readonly<Record<string, unknown>> => {
  const serving = isReady(pod)
  const terminating = isTerminating(pod)
  return {
    addresses: [pod.status.podIP],
    conditions: {
      ready: service.spec.publishNotReadyAddresses || (serving && !terminating),
      serving,
      terminating
    },
    nodeName: pod.spec.nodeName,
    targetRef: {
      kind: "Pod",
      namespace: pod.metadata.namespace,
      name: pod.metadata.name,
      uid: pod.metadata.uid
    }
  }
}

/** Sorted by name. Empty for a Service without a selector: its slices are somebody else's. */
export const planEndpointSlices = (
  service: ServiceObject,
  pods: ReadonlyArray<PodObject>
): ReadonlyArray<PlannedSlice> => {
  const selector = service.spec.selector
  if (
    selector === undefined ||
    Object.keys(selector).length === 0 ||
    service.metadata.deletionTimestamp !== undefined
  ) {
    return []
  }
  const selected = pods
    .filter(
      (pod) =>
        pod.status.podIP !== "" &&
        !isFinished(pod) &&
        matches({ matchLabels: selector, matchExpressions: [] }, pod.metadata.labels)
    )
    .sort((left, right) => left.metadata.name.localeCompare(right.metadata.name))
  const groups = Map.groupBy(selected, (pod) => canonicalJson(portsOf(service, pod)))
  return [...groups]
    .map(([key, members]): PlannedSlice => {
      const [first] = members
      const name = `${service.metadata.name}-${safeEncode(fnv32a(key))}`
      return {
        name,
        object: {
          apiVersion: "discovery.k8s.io/v1",
          kind: "EndpointSlice",
          metadata: {
            name,
            namespace: service.metadata.namespace,
            labels: {
              ...service.metadata.labels,
              [serviceNameLabel]: service.metadata.name,
              [managedByLabel]: managedBy
            },
            ownerReferences: [
              {
                apiVersion: "v1",
                kind: "Service",
                name: service.metadata.name,
                uid: service.metadata.uid,
                controller: true,
                blockOwnerDeletion: true
              }
            ]
          },
          addressType: "IPv4",
          endpoints: members.map((pod) => endpointOf(service, pod)),
          ports: first === undefined ? [] : portsOf(service, first)
        }
      }
    })
    .sort((left, right) => left.name.localeCompare(right.name))
}
