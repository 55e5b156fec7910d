/** One attempt of a probe: httpGet (2xx and 3xx pass), tcpSocket or exec. Wording as the kubelet's. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { connectProblem, httpAnswer } from "./internal/probeConnection.ts"
import type { ContainerSpecification, ProbeSpecification } from "./PodSpecification.ts"

export type ProbeResult =
  | { readonly _tag: "Passed" }
  /** `refused`: nothing listens there yet; such an attempt cost nothing. */
  | { readonly _tag: "Failed"; readonly output: string; readonly refused: boolean }

export interface ProbeTarget {
  readonly container: ContainerSpecification
  /** Container port → real port. */
  readonly ports: Readonly<Record<string, number>>
  /** Runs a command beside the container's process, with its environment and rights; ends it when interrupted. */
  readonly execute: (
    command: ReadonlyArray<string>
  ) => Effect.Effect<{ readonly exitCode: number; readonly output: string }>
}

const passed: ProbeResult = { _tag: "Passed" }

const failed = (output: string, refused = false): ProbeResult => ({ _tag: "Failed", output, refused })

const loopback = "127.0.0.1"

/** A name or a container port → the port on this machine. */
export const realPort = (target: Pick<ProbeTarget, "container" | "ports">, port: number | string): number => {
  const named = target.container.ports.find((declared) => declared.name === port)?.containerPort
  const declared = named ?? Number(port)
  return target.ports[String(declared)] ?? declared
}

const attemptHttp = Effect.fnUntraced(function* (
  target: ProbeTarget,
  action: NonNullable<ProbeSpecification["httpGet"]>
) {
  const port = realPort(target, action.port)
  const host = action.host === "" ? loopback : action.host
  const path = action.path.startsWith("/") ? action.path : `/${action.path}`
  const answer = yield* httpAnswer({
    secure: action.scheme.toUpperCase() === "HTTPS",
    host,
    port,
    path,
    headers: Object.fromEntries(action.httpHeaders.map((header) => [header.name, header.value]))
  })
  if (answer._tag === "Unanswered") {
    const url = `${action.scheme.toLowerCase()}://${host}:${port}${path}`
    return failed(`Get "${url}": ${answer.problem}`, answer.problem.includes("ECONNREFUSED"))
  }
  return answer.status >= 200 && answer.status < 400
    ? passed
    : failed(`HTTP probe failed with statuscode: ${answer.status}`)
})

const attempt = Effect.fnUntraced(function* (target: ProbeTarget, probe: ProbeSpecification) {
  if (probe.httpGet !== undefined) {
    return yield* attemptHttp(target, probe.httpGet)
  }
  if (probe.tcpSocket !== undefined) {
    const host = probe.tcpSocket.host === "" ? loopback : probe.tcpSocket.host
    const port = realPort(target, probe.tcpSocket.port)
    const problem = yield* connectProblem(host, port)
    return problem === undefined
      ? passed
      : failed(`dial tcp ${host}:${port}: ${problem}`, problem.includes("ECONNREFUSED"))
  }
  if (probe.exec !== undefined) {
    const { exitCode, output } = yield* target.execute(probe.exec.command)
    return exitCode === 0 ? passed : failed(output === "" ? `command exited with ${exitCode}` : output)
  }
  return passed
})

/** Within `timeoutSeconds`; a late answer is a failure. */
export const runProbe = (target: ProbeTarget, probe: ProbeSpecification): Effect.Effect<ProbeResult> =>
  attempt(target, probe).pipe(
    Effect.timeoutOption(Duration.seconds(Math.max(1, probe.timeoutSeconds))),
    Effect.map((result) =>
      result._tag === "Some" ? result.value : failed(`probe timed out after ${probe.timeoutSeconds}s`)
    )
  )
