/**
 * Fields that an object of a built-in kind always has, because their Go types know no absence. Values are the zeros; a struct
 * is filled by its own definition. Pure data.
 * @source the JSON that Kubernetes 1.36 answers for objects without them
 */
export const zeroValues: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  Container: { resources: {} },
  ContainerStatus: { image: "", imageID: "", lastState: {}, ready: false, restartCount: 0, state: {} },
  Deployment: { metadata: {}, spec: {}, status: {} },
  DeploymentSpec: { strategy: {}, template: {} },
  EphemeralContainer: { resources: {} },
  Event: {
    eventTime: null,
    firstTimestamp: null,
    involvedObject: {},
    lastTimestamp: null,
    reportingComponent: "",
    reportingInstance: "",
    source: {}
  },
  Lease: { spec: {} },
  Namespace: { spec: {}, status: {} },
  Pod: { spec: {}, status: {} },
  PodCondition: { lastProbeTime: null, lastTransitionTime: null },
  PodSpec: { containers: null },
  PodTemplateSpec: { metadata: {}, spec: {} },
  ReplicaSet: { spec: {}, status: {} },
  ReplicaSetSpec: { template: {} },
  ReplicaSetStatus: { replicas: 0 },
  Service: { spec: {}, status: {} },
  ServiceStatus: { loadBalancer: {} }
}
