/** The Node object of this machine: created when missing, Ready while the runtime lives. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as os from "node:os"
import * as process from "node:process"
import { toTimestamp } from "../controllers/objects/Timestamp.ts"
import { withField } from "../controllers/objects/ObjectFields.ts"
import { ClusterObjects } from "../kubernetes/ClusterObjects.ts"
import { podAddress } from "./ContainerEnvironment.ts"
import { KubeletConfig } from "./KubeletConfig.ts"

/** Kubernetes' soft limit of pods per node. */
const podsMax = "1000"

const capacity = () => ({
  cpu: String(os.cpus().length),
  memory: `${Math.floor(os.totalmem() / 1024)}Ki`,
  pods: podsMax
})

const conditions = (nowMs: number, sinceMs: number) => {
  const times = { lastHeartbeatTime: toTimestamp(nowMs), lastTransitionTime: toTimestamp(sinceMs) }
  const absent = (type: string, reason: string, message: string) => ({
    type,
    status: "False",
    ...times,
    reason,
    message
  })
  return [
    absent("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    absent("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    absent("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    {
      type: "Ready",
      status: "True",
      ...times,
      reason: "KubeletReady",
      message: "kubelet is posting ready status"
    }
  ]
}

const nodeStatus = (nodeName: string, nowMs: number, sinceMs: number) => ({
  addresses: [
    { type: "InternalIP", address: podAddress },
    { type: "Hostname", address: nodeName }
  ],
  capacity: capacity(),
  allocatable: capacity(),
  conditions: conditions(nowMs, sinceMs),
  nodeInfo: {
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    bootID: "",
    containerRuntimeVersion: "launchpad://1",
    kernelVersion: os.release(),
    kubeProxyVersion: "",
    kubeletVersion: "v1.36.0",
    machineID: "",
    operatingSystem: process.platform,
    osImage: `${os.type()} ${os.release()}`,
    systemUUID: ""
  }
})

/** Writes the node once, then beats in the background until the scope closes. */
export const register = Effect.fn("NodeRegistration.register")(function* () {
  const objects = yield* ClusterObjects
  const { nodeHeartbeat, nodeName } = yield* KubeletConfig
  const key = { resource: "nodes", name: nodeName }
  const sinceMs = yield* Clock.currentTimeMillis

  const beat = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    yield* objects.modify(key, (node) => withField(node, ["status"], nodeStatus(nodeName, nowMs, sinceMs)), {
      subresource: "status"
    })
  })

  const node = {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: nodeName, labels: { "kubernetes.io/hostname": nodeName, "kubernetes.io/os": "linux" } },
    spec: {}
  }
  yield* Effect.catchIf(
    objects.create("nodes", node),
    (status) => status.reason === "AlreadyExists",
    () => Effect.void
  )
  yield* beat
  const lastingBeat = Effect.catch(beat, (status) => Effect.logWarning("node heartbeat failed", status))
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(nodeHeartbeat), lastingBeat)))
})
