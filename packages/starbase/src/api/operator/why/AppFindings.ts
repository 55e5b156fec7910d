/**
 * What holds an app, the most causal first: findings stand in the order of a push's journey, because what is upstream
 * explains what is downstream. Pure; every line is for one audience.
 */
import type { Finding } from "@starform/domain/protocol/Explanation"
import { activeDeploy, type AppFacts, type Audience } from "./AppFacts.ts"
import { agentFindings, clusterFindings, observationFindings, rolloutFindings } from "./ClusterFindings.ts"
import { deployFindings, phaseFindings } from "./DeployFindings.ts"
import type { Found } from "./Found.ts"
import { coreFindings } from "./CoreFindings.ts"

/** In the order of the journey: the core, the deploy and its effects, its phase, the cluster, its agent, the copies. */
const rules: ReadonlyArray<(facts: AppFacts) => ReadonlyArray<Found>> = [
  coreFindings,
  deployFindings,
  phaseFindings,
  clusterFindings,
  agentFindings,
  observationFindings,
  rolloutFindings
]

/** What holds comes before what only is so; within both, upstream first. */
export const findings = (facts: AppFacts): ReadonlyArray<Found> => {
  const found = rules.flatMap((rule) => rule(facts))
  return [...found.filter(({ holds }) => holds), ...found.filter(({ holds }) => !holds)]
}

export const told = (found: ReadonlyArray<Found>, audience: Audience): ReadonlyArray<Finding> =>
  found.flatMap(({ operator, person, code, blame, holds, sinceMs }) => {
    const words = audience === "operator" ? operator : person
    return words === null ? [] : [{ code, blame, holds, ...words, sinceMs }]
  })

/** Whether anything holds the newest deploy, or what it left. */
export const isHeld = (facts: AppFacts, found: ReadonlyArray<Found>): boolean =>
  activeDeploy(facts) !== null && found.some(({ holds }) => holds)
