import { assert, describe, it } from "@effect/vitest"
import { podRequests } from "@starform/shuttle/kubernetes/PodRequests"

const requests = (cpu: string | number, memory: string | number) => ({
  resources: { requests: { cpu, memory } }
})

describe("podRequests", () => {
  it.each([
    ["250m", "512Mi", 250, 512],
    ["0.5", "1Gi", 500, 1024],
    [2, "1G", 2000, 954],
    ["100u", "1", 1, 1],
    ["1e-1", "1e9", 100, 954],
    ["100n", "128974848000m", 1, 123],
    [".5", "1.5Gi", 500, 1536]
  ])("reads cpu %s and memory %s as the scheduler does", (cpu, memory, cpuMillicores, memoryMebibytes) => {
    assert.deepStrictEqual(podRequests({ containers: [requests(cpu, memory)] }), {
      cpuMillicores,
      memoryMebibytes
    })
  })

  it("adds containers up, exactly", () => {
    const spec = { containers: [requests("0.1", "100Mi"), requests("0.2", "200Mi"), {}] }
    assert.deepStrictEqual(podRequests(spec), { cpuMillicores: 300, memoryMebibytes: 300 })
  })

  it("counts sidecars with the containers, init containers where they need more, and overhead on top", () => {
    const spec = {
      containers: [requests("100m", "100Mi")],
      initContainers: [
        requests("150m", "10Mi"),
        { ...requests("20m", "20Mi"), restartPolicy: "Always" },
        requests("200m", "10Mi")
      ],
      overhead: { cpu: "5m", memory: "1Mi" }
    }
    assert.deepStrictEqual(podRequests(spec), { cpuMillicores: 225, memoryMebibytes: 121 })
  })

  it("takes the pod's own requests before its containers'", () => {
    const spec = { containers: [requests("100m", "100Mi")], resources: { requests: { cpu: "1" } } }
    assert.deepStrictEqual(podRequests(spec), { cpuMillicores: 1000, memoryMebibytes: 100 })
  })

  it("is nothing for a pod that requests nothing, and for what is no pod's spec", () => {
    assert.deepStrictEqual(podRequests({ containers: [{}] }), { cpuMillicores: 0, memoryMebibytes: 0 })
    assert.isNull(podRequests({ replicas: 1 }))
    assert.isNull(podRequests(undefined))
  })
})
