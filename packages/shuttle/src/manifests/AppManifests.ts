/** One desired app → everything that runs it, or why it cannot be written down. Pure. */
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import { AppId } from "@starform/domain/ids/AppId"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Manifest } from "../kubernetes/Manifest.ts"
import { deploymentManifest } from "./DeploymentManifest.ts"
import type { ManifestSettings } from "./ManifestSettings.ts"
import { routingManifests } from "./RoutingManifests.ts"
import { variableManifests } from "./VariableManifests.ts"

/** The app's entry fits its schema but contradicts itself; what runs now stays as it is. */
export class AppNotRenderable extends Schema.TaggedError<AppNotRenderable>()("AppNotRenderable", {
  appId: AppId,
  problem: Schema.String
}) {
  override get message() {
    return `${this.appId}: ${this.problem}`
  }
}

const duplicate = (names: ReadonlyArray<string>): string | undefined =>
  names.find((name, position) => names.indexOf(name) !== position)

const problemOf = (app: DesiredApp): string | undefined => {
  if (app.processes.length === 0) return "it has no process"
  const process = duplicate(app.processes.map(({ name }) => name))
  if (process !== undefined) return `process ${process} is there twice`
  const variable = duplicate(app.variables.map(({ key }) => key))
  if (variable !== undefined) return `variable ${variable} is there twice`
  if (app.serviceType === "cron") return "scheduled services are not supported by this agent"
  if (app.startupSeconds < 1) return "its start-up time is below one second"
  for (const { containerPort, cpuMillicores, memoryMebibytes, name, replicas } of app.processes) {
    if (replicas < 0) return `process ${name} has a negative number of copies`
    if (cpuMillicores < 1 || memoryMebibytes < 1) return `process ${name} has no size`
    if (containerPort !== null && (containerPort < 1 || containerPort > 65_535)) {
      return `process ${name} has no valid port`
    }
  }
  return undefined
}

/** In the order in which they are applied. */
export const appManifests = (
  app: DesiredApp,
  settings: ManifestSettings
): Result.Result<ReadonlyArray<Manifest>, AppNotRenderable> => {
  const problem = problemOf(app)
  if (problem !== undefined) return Result.fail(new AppNotRenderable({ appId: app.appId, problem }))
  return Result.succeed([
    ...variableManifests(app, settings),
    ...app.processes.map((process) => deploymentManifest(app, process, settings)),
    ...routingManifests(app, settings)
  ])
}
