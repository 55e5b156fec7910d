/** The three Node processes of the platform, as the launcher starts them: program, environment, sign of readiness. Pure. */
import { createHash } from "node:crypto"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { StepEnvironment } from "../starbase/HostStarbaseConfig.ts"
import * as ClusterAccess from "./ClusterAccess.ts"
import { calls } from "./CommandAccess.ts"
import type { HostPrograms } from "./HostPrograms.ts"
import type { LaunchPorts } from "./LaunchPorts.ts"
import type { LaunchSecrets } from "./LaunchSecrets.ts"
import type { LaunchState } from "./LaunchState.ts"
import type { ProcessSpec } from "./PlatformProcess.ts"

export interface Platform {
  readonly state: LaunchState
  /** Folder of the project. */
  readonly checkout: string
  readonly ports: LaunchPorts
  readonly secrets: LaunchSecrets
  readonly programs: HostPrograms
  readonly certificate: ClusterAccess.CertificateFiles
  /** Of the caller: how this machine reaches the npm registry; handed to builds. */
  readonly stepEnvironment: Readonly<Record<string, string>>
  /** Of the caller; where git is found. */
  readonly path: string
  /** Of the caller; who receives traces, empty for nobody. */
  readonly otlpUrl: string
}

const sha256 = (token: Redacted.Redacted<string>): string =>
  createHash("sha256").update(Redacted.value(token)).digest("hex")

const encodeStepEnvironment = Schema.encodeSync(StepEnvironment)

const program = (path: string): string => fileURLToPath(import.meta.resolve(path))

const answers = (url: string) => HttpClient.get(url).pipe(Effect.filterOrFail(({ status }) => status === 200))

/** Every process gets these and nothing else of the launcher's environment. */
const common = (platform: Platform) => ({
  PATH: platform.path,
  LANG: "C.UTF-8",
  HOME: platform.state.directory
})

export const cluster = (platform: Platform): ProcessSpec => {
  const { state, ports, secrets, programs, certificate } = platform
  return {
    name: "cluster",
    program: program("../cluster/main.ts"),
    logFile: join(state.logs, "cluster.log"),
    ready: ClusterAccess.isReady(ports.kubernetes, certificate.certificate),
    env: {
      ...common(platform),
      LAUNCHPAD_KUBERNETES_PORT: String(ports.kubernetes),
      LAUNCHPAD_GATEWAY_PORT: String(ports.gateway),
      LAUNCHPAD_CERTIFICATE_FILE: certificate.certificateFile,
      LAUNCHPAD_CERTIFICATE_KEY_FILE: certificate.keyFile,
      LAUNCHPAD_KUBERNETES_TOKEN: secrets.kubernetesToken,
      LAUNCHPAD_KUBERNETES_KEY: secrets.kubernetesKey,
      LAUNCHPAD_KUBERNETES_DIRECTORY: state.kubernetes,
      LAUNCHPAD_BLOB_DIRECTORY: join(state.starbase, "blobs"),
      LAUNCHPAD_WORK_DIRECTORY: programs.workDirectory,
      LAUNCHPAD_SEARCH_PATH: programs.searchPath.join(":")
    }
  }
}

export const starbase = Effect.fnUntraced(function* (
  platform: Platform,
  databaseUrl: Redacted.Redacted<string>
) {
  const { state, ports, secrets, programs } = platform
  const client = yield* HttpClient.HttpClient
  const spec: ProcessSpec = {
    name: "starbase",
    program: program("../starbase/main.ts"),
    logFile: join(state.logs, "starbase.log"),
    ready: Effect.provideService(
      answers(`http://127.0.0.1:${ports.api}/readyz`),
      HttpClient.HttpClient,
      client
    ),
    env: {
      ...common(platform),
      STARBASE_DATABASE_URL: databaseUrl,
      STARBASE_PORT: String(ports.api),
      STARBASE_RUNNER_PORT: String(ports.runner),
      STARBASE_MASTER_KEY: secrets.masterKey,
      STARBASE_OPERATOR_TOKEN_HASH: sha256(secrets.operatorToken),
      STARBASE_DATA_DIRECTORY: state.starbase,
      STARBASE_SOCKET_DIRECTORY: state.sockets,
      STARBASE_GIT_SEARCH_PATH: platform.path,
      STARBASE_PUBLIC_URL: `http://127.0.0.1:${ports.api}`,
      STARBASE_APP_SCHEME: "http",
      STARBASE_APP_PORT_SUFFIX: `:${ports.gateway}`,
      STARBASE_APP_DOMAIN: ".localhost",
      STARBASE_COMMAND_LINE: calls(platform.checkout, state).anywhere,
      STARBASE_TOKEN_ADVICE: `A valid one is in the remote that \`npm start\` prints, and in ${basename(state.directory)}/cli.json.`,
      ...(platform.otlpUrl === "" ? {} : { STARBASE_OTLP_URL: platform.otlpUrl }),
      LAUNCHPAD_WORK_DIRECTORY: programs.workDirectory,
      LAUNCHPAD_SEARCH_PATH: programs.searchPath.join(":"),
      LAUNCHPAD_STEP_ENVIRONMENT: encodeStepEnvironment(platform.stepEnvironment)
    }
  }
  return spec
})

export const shuttle = Effect.fnUntraced(function* (platform: Platform) {
  const { state, ports, secrets } = platform
  const client = yield* HttpClient.HttpClient
  const spec: ProcessSpec = {
    name: "shuttle",
    program: program("@starform/shuttle/main"),
    nodeFlags: ["--max-semi-space-size=2", "--heap-growing-percent=20"],
    logFile: join(state.logs, "shuttle.log"),
    ready: Effect.provideService(
      answers(`http://127.0.0.1:${ports.shuttle}/readyz`),
      HttpClient.HttpClient,
      client
    ),
    env: {
      ...common(platform),
      STARFORM_STARBASE_URL: `http://127.0.0.1:${ports.api}`,
      STARFORM_CLUSTER_ID: secrets.clusterId,
      STARFORM_REGION: "local",
      STARFORM_AUTH_TOKEN_FILE: join(secrets.directory, "agent-token"),
      STARFORM_DATA_DIRECTORY: state.shuttle,
      STARFORM_STATE_KEY_FILE: join(secrets.directory, "shuttle-state-key"),
      STARFORM_KUBECONFIG: state.kubeconfig,
      STARFORM_METRICS_ADDR: `127.0.0.1:${ports.shuttle}`,
      ...(platform.otlpUrl === "" ? {} : { STARFORM_OTLP_URL: platform.otlpUrl })
    }
  }
  return spec
})
