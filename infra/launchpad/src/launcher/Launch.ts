/** Starts everything in order and stays until something ends. The order of the end is the reverse of the order here. */
import { join } from "node:path"
import * as StarformClient from "@starform/domain/protocol/StarformClient"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as HttpClient from "effect/http/HttpClient"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as EmbeddedPostgres from "../postgres/EmbeddedPostgres.ts"
import { podFolder } from "../cluster/LocalClusterConfig.ts"
import * as OrphanRegister from "../runtime/OrphanRegister.ts"
import * as ClusterAccess from "./ClusterAccess.ts"
import * as CommandAccess from "./CommandAccess.ts"
import * as HostEnvironment from "./HostEnvironment.ts"
import * as HostPrograms from "./HostPrograms.ts"
import * as LaunchClaim from "./LaunchClaim.ts"
import type { LaunchOptions } from "./LaunchOptions.ts"
import * as LaunchPorts from "./LaunchPorts.ts"
import * as LaunchSecrets from "./LaunchSecrets.ts"
import * as LaunchState from "./LaunchState.ts"
import * as LaunchSummary from "./LaunchSummary.ts"
import * as PlatformProcess from "./PlatformProcess.ts"
import * as PlatformProcesses from "./PlatformProcesses.ts"
import { step } from "./Progress.ts"
import * as Registration from "./Registration.ts"
import * as SamplePush from "./SamplePush.ts"
import * as ServerGuard from "./ServerGuard.ts"

/** A sample that was live before answers again within this time. */
const sampleReturn = Duration.seconds(20)

export interface Prepared {
  readonly platform: PlatformProcesses.Platform
  readonly checkout: string
  readonly options: LaunchOptions
  readonly startedMs: number
  /** For what root cannot keep in the state folder. */
  readonly fallback: string
}

/** By then the guard of a killed launcher has ended its database; one that had no guard yet is ended here. */
const guardPatience = Duration.seconds(4)

/** Waits until the ports are free; a database that nobody watches is helped to end. */
const endOfKilled = (location: string, ports: LaunchPorts.LaunchPorts) =>
  Effect.ignore(LaunchClaim.endDatabase(location)).pipe(
    Effect.delay(guardPatience),
    Effect.forkScoped,
    Effect.andThen(LaunchPorts.checkPatiently(ports)),
    Effect.scoped
  )

/** Where people and programs reach Starbase. */
export const apiUrl = ({ ports }: PlatformProcesses.Platform): string => `http://127.0.0.1:${ports.api}`

/**
 * Ports, folders, secrets: everything that comes before the first process.
 *
 * @param checkout folder of the project, which holds the state folder and the samples
 */
export const prepare = Effect.fnUntraced(function* (checkout: string, options: LaunchOptions) {
  const startedMs = yield* Clock.currentTimeMillis
  yield* Console.log("\nStarform on this machine")
  const ports = LaunchPorts.fromBase(options.portBase)
  const location = LaunchState.locate(checkout, options)
  const isLeftBehind = location !== null && (yield* LaunchClaim.isLeftBehind(location))
  yield* isLeftBehind ? step("end of a killed start", endOfKilled(location, ports)) : LaunchPorts.check(ports)
  const state = yield* LaunchState.open(checkout, options)
  const host = yield* HostEnvironment.read
  const fallback = EmbeddedPostgres.fallbackDirectory(state.directory)
  if (options.ephemeral) {
    const fs = yield* FileSystem.FileSystem
    yield* Effect.addFinalizer(() => Effect.ignore(fs.remove(fallback, { recursive: true, force: true })))
  }
  const programs = yield* HostPrograms.prepare(state.directory, fallback, host.path)
  const secrets = yield* LaunchSecrets.load(state.secrets)
  const certificate = yield* ClusterAccess.certificate(state.secrets)
  yield* ClusterAccess.writeKubeconfig(
    state.kubeconfig,
    ports.kubernetes,
    certificate.certificate,
    secrets.kubernetesToken
  )
  const platform: PlatformProcesses.Platform = {
    state,
    ports,
    secrets,
    programs,
    certificate,
    checkout,
    ...host
  }
  return { platform, checkout, options, startedMs, fallback } satisfies Prepared
})

const notesOf = (
  { programs }: PlatformProcesses.Platform,
  postgres: EmbeddedPostgres.EmbeddedPostgres["Service"]
): ReadonlyArray<string> => [
  ...(postgres.relocated ? [`The database is in ${postgres.home}: its user cannot enter this folder.`] : []),
  ...(programs.isRelocated
    ? [`Apps run below ${programs.workDirectory}: their users cannot enter this folder.`]
    : []),
  ...(process.getuid?.() === 0 ? [] : ["Apps and builds run with your own user's rights."])
]

/** The sample's host name once it answers. */
const awaitSample = Effect.fnUntraced(function* (platform: PlatformProcesses.Platform, host: string) {
  yield* HttpClient.get(`http://127.0.0.1:${platform.ports.gateway}/`, { headers: { host } }).pipe(
    Effect.filterOrFail(({ status }) => status === 200),
    Effect.retry({ schedule: Schedule.spaced("50 millis") }),
    Effect.timeout(sampleReturn)
  )
  return host
})

const pushSample = Effect.fnUntraced(function* (platform: PlatformProcesses.Platform, checkout: string) {
  const { state, ports, secrets } = platform
  const { workspace, project, sample } = Registration.names
  yield* Console.log("\n  Pushing the sample app, as you would push yours:\n")
  yield* SamplePush.push(
    {
      source: join(checkout, "samples", "hello"),
      directory: state.sample,
      searchPath: platform.path,
      remote: `http://127.0.0.1:${ports.api}/git/${workspace}/${project}/${sample}.git`,
      token: secrets.workspaceToken
    },
    (line) => Console.log(`    ${line}`)
  )
})

/** Never succeeds: it fails when a part of the platform ends. */
export const launch = Effect.fnUntraced(function* (prepared: Prepared) {
  const { platform, checkout, options, startedMs, fallback } = prepared
  const { state, ports, secrets } = platform
  const fs = yield* FileSystem.FileSystem
  yield* Effect.addFinalizer(() =>
    OrphanRegister.endOrphans(join(platform.programs.workDirectory, podFolder)).pipe(
      Effect.provideService(FileSystem.FileSystem, fs),
      Effect.ignore
    )
  )
  const [postgres, cluster] = yield* Effect.all(
    [
      step(
        "database",
        EmbeddedPostgres.make({
          directory: state.postgres,
          fallbackDirectory: fallback,
          port: ports.database
        }).pipe(Effect.tap(({ pid }) => ServerGuard.watch(pid)))
      ),
      step("local cluster", PlatformProcess.launch(PlatformProcesses.cluster(platform)))
    ],
    { concurrency: 2 }
  )
  const starbase = yield* step(
    "Starbase",
    Effect.flatMap(PlatformProcesses.starbase(platform, postgres.url), PlatformProcess.launch)
  )
  const client = yield* StarformClient.make({ url: apiUrl(platform), token: secrets.operatorToken })
  yield* CommandAccess.write(state, apiUrl(platform), secrets.workspaceToken)
  const shuttle = yield* step(
    "Shuttle",
    Registration.register(client, secrets).pipe(
      Effect.andThen(PlatformProcesses.shuttle(platform)),
      Effect.flatMap(PlatformProcess.launch)
    )
  )
  const ended = Effect.raceAllFirst([cluster.ended, starbase.ended, shuttle.ended, postgres.ended])

  const sample = Effect.gen(function* () {
    const live = yield* Registration.sampleHost(client)
    if (live !== null) return yield* step("sample app", awaitSample(platform, live))
    if (!options.sample) return null
    yield* pushSample(platform, checkout)
    return yield* Registration.sampleHost(client)
  }).pipe(Effect.catchTag("SampleFailed", (error) => Effect.as(Console.error(`\n  ${error.message}`), null)))
  const sampleHost = yield* Effect.raceFirst(sample, ended)
  const readyMs = (yield* Clock.currentTimeMillis) - startedMs
  yield* Console.log(
    LaunchSummary.render({
      ports,
      readyMs,
      sampleHost,
      workspace: Registration.names.workspace,
      project: Registration.names.project,
      token: Redacted.value(secrets.workspaceToken),
      stateDirectory: state.directory,
      command: CommandAccess.calls(checkout, state).here,
      notes: notesOf(platform, postgres)
    })
  )
  return yield* ended
})
