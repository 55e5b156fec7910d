import { assert, describe, it } from "@effect/vitest"
import { containerDefault, containerMax, projectLimits } from "@starform/domain/model/ProjectLimits"
import * as Tier from "@starform/domain/model/Tier"

describe("projectLimits", () => {
  it("have room for a pod of every tier, and no container is larger than the largest", () => {
    for (const { cpuMillicores, memoryMebibytes } of Tier.tiers.map(Tier.sizeOf)) {
      assert.isAtMost(cpuMillicores, containerMax.cpuMillicores)
      assert.isAtMost(memoryMebibytes, containerMax.memoryMebibytes)
      assert.isAtLeast(cpuMillicores, containerDefault.cpuMillicores)
      assert.isAtMost(cpuMillicores * 2, projectLimits.cpuMillicores)
      assert.isAtMost(memoryMebibytes * 2, projectLimits.memoryMebibytes)
    }
  })
})
