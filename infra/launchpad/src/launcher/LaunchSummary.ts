/** What a person is told once everything runs. Pure. */
import type { LaunchPorts } from "./LaunchPorts.ts"
import { seconds } from "./Progress.ts"

export interface LaunchFacts {
  readonly ports: LaunchPorts
  readonly readyMs: number
  /** Host name of the sample; `null` when there is none. */
  readonly sampleHost: string | null
  readonly workspace: string
  readonly project: string
  /** The workspace token, shown because this is its owner's terminal. */
  readonly token: string
  readonly stateDirectory: string
  /** What comes before the words of `starform`, in the folder of the checkout. */
  readonly command: string
  readonly notes: ReadonlyArray<string>
}

/** Of every service of a project; the token is in it, so that git asks for nothing. */
export const remoteOf = (
  ports: LaunchPorts,
  token: string,
  names: { readonly workspace: string; readonly project: string }
): string => `http://starform:${token}@127.0.0.1:${ports.api}/git/${names.workspace}/${names.project}`

export const render = (facts: LaunchFacts): string => {
  const { ports, project, token } = facts
  const sample =
    facts.sampleHost === null
      ? []
      : [
          `  Sample app   http://${facts.sampleHost}:${ports.gateway}`,
          `               curl -H 'Host: ${facts.sampleHost}' http://127.0.0.1:${ports.gateway}`
        ]
  const remote = remoteOf(ports, token, facts)
  return [
    "",
    `Starform is ready (${seconds(facts.readyMs)}).`,
    "",
    ...sample,
    `  API          http://127.0.0.1:${ports.api}`,
    `  Cluster      kubectl --kubeconfig ${facts.stateDirectory}/kubeconfig get pods -A`,
    "",
    "  Push your own app (any name; the first push creates it):",
    "",
    `    git remote add starform ${remote}/my-app.git`,
    "    git push starform main",
    `    curl -H 'Host: my-app-${project}.localhost' http://127.0.0.1:${ports.gateway}`,
    "",
    "  See and steer what runs:",
    "",
    `    ${facts.command} status -a ${project}/my-app`,
    "",
    ...facts.notes.map((note) => `  ${note}`),
    ...(facts.notes.length === 0 ? [] : [""]),
    "  Ctrl-C stops everything.",
    ""
  ].join("\n")
}
