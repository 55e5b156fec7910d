/** One desired app → everything that runs it, or why it cannot be written down. Pure. */
import type { DesiredApp, DesiredProcess, DesiredSchedule } from "@starform/domain/desired/DesiredState"
import { AppId } from "@starform/domain/ids/AppId"
import { scheduledProcess } from "@starform/domain/model/AppSettings"
import { contradiction } from "@starform/domain/model/Autoscaling"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Manifest } from "../kubernetes/Manifest.ts"
import { cronJobManifest } from "./CronJobManifest.ts"
import { copiesManifests, deploymentManifest } from "./DeploymentManifest.ts"
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

/** What a service of type `cron` runs, and when. */
const scheduled = (
  app: DesiredApp
): { readonly process: DesiredProcess; readonly schedule: DesiredSchedule } | string => {
  const process = scheduledProcess(app.processes)
  if (process === undefined) return "it has several processes and none is called cron"
  if (process.autoscaling !== undefined) return "what runs on a schedule cannot scale by itself"
  return app.schedule === undefined
    ? "it has no schedule: set one with starform schedule"
    : { process, schedule: app.schedule }
}

const problemOfProcess = (process: DesiredProcess): string | undefined => {
  const { autoscaling, containerPort, cpuMillicores, memoryMebibytes, name, replicas } = process
  if (replicas < 0) return `process ${name} has a negative number of copies`
  if (cpuMillicores < 1 || memoryMebibytes < 1) return `process ${name} has no size`
  if (containerPort !== null && (containerPort < 1 || containerPort > 65_535)) {
    return `process ${name} has no valid port`
  }
  const scaling = autoscaling === undefined ? undefined : contradiction(autoscaling)
  return scaling === undefined ? undefined : `process ${name} cannot scale by itself: ${scaling}`
}

const problemOfGroups = (app: DesiredApp): string | undefined => {
  const groups = app.varGroups ?? []
  const group = duplicate(groups.map(({ id }) => id))
  if (group !== undefined) return `variable group ${group} is attached twice`
  if (duplicate(groups.map(({ attachOrder }) => String(attachOrder))) !== undefined) {
    return "two variable groups are attached at the same place"
  }
  for (const { id, variables } of groups) {
    const variable = duplicate(variables.map(({ key }) => key))
    if (variable !== undefined) return `variable ${variable} is twice in variable group ${id}`
  }
  return undefined
}

const problemOf = (app: DesiredApp): string | undefined => {
  if (app.processes.length === 0) return "it has no process"
  const process = duplicate(app.processes.map(({ name }) => name))
  if (process !== undefined) return `process ${process} is there twice`
  const variable = duplicate(app.variables.map(({ key }) => key))
  if (variable !== undefined) return `variable ${variable} is there twice`
  if (app.startupSeconds < 1) return "its start-up time is below one second"
  if (app.serviceType !== "cron" && app.schedule !== undefined) return "only a cron service has a schedule"
  return problemOfGroups(app) ?? app.processes.map(problemOfProcess).find((problem) => problem !== undefined)
}

const workloads = (
  app: DesiredApp,
  settings: ManifestSettings
): Result.Result<ReadonlyArray<Manifest>, string> => {
  if (app.serviceType !== "cron") {
    return Result.succeed([
      ...app.processes.map((process) => deploymentManifest(app, process, settings)),
      ...app.processes.flatMap((process) => copiesManifests(app, process, settings))
    ])
  }
  const run = scheduled(app)
  return typeof run === "string"
    ? Result.fail(run)
    : Result.succeed([cronJobManifest(app, run.process, run.schedule, settings)])
}

/** In the order in which they are applied. What the project shares, its apps do not have. */
export const appManifests = (
  app: DesiredApp,
  settings: ManifestSettings
): Result.Result<ReadonlyArray<Manifest>, AppNotRenderable> => {
  const problem = problemOf(app)
  const made = problem === undefined ? workloads(app, settings) : Result.fail(problem)
  return Result.mapBoth(made, {
    onFailure: (why) => new AppNotRenderable({ appId: app.appId, problem: why }),
    onSuccess: (manifests) => [
      ...variableManifests(app, settings),
      ...manifests,
      ...routingManifests(app, settings)
    ]
  })
}
