/** The values files of others' charts, and what a reader of one is told first: which chart, where, and under which name. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import { filesBelow, root } from "./Kustomization.ts"
import type { PodSpec } from "./PodSecurity.ts"

interface Named {
  readonly name: string
}

export interface EnvironmentEntry extends Named {
  readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string; readonly key: string } }
}

interface Volume extends Named {
  readonly secret?: { readonly secretName: string }
  readonly configMap?: Named
}

/** The few keys that tests look at, of whichever chart has them. */
export interface Values {
  readonly configMap?: string
  readonly existingConfigMap?: string
  readonly envFrom?: ReadonlyArray<{ readonly configMapRef: Named }>
  readonly env?: ReadonlyArray<EnvironmentEntry>
  readonly extraVolumes?: ReadonlyArray<Volume>
  readonly daemonSetVolumes?: ReadonlyArray<Volume>
  readonly serviceAccount?: Named
  readonly rbac?: { readonly create: boolean }
  readonly metricLabelsAllowlist?: ReadonlyArray<string>
  readonly remoteWrite?: ReadonlyArray<Readonly<Record<string, string>>>
  readonly extraArgs?: Readonly<Record<string, string | number | boolean>>
  readonly podSecurityContext?: PodSpec["securityContext"] & { readonly enabled?: boolean }
  readonly securityContext?: PodSpec["securityContext"] & { readonly enabled?: boolean }
  readonly controller?: { readonly volumes: { readonly extra: ReadonlyArray<Volume> } }
  readonly alloy?: {
    readonly configMap: { readonly name: string; readonly key: string }
    readonly envFrom: ReadonlyArray<{ readonly configMapRef: Named }>
    readonly extraEnv: ReadonlyArray<EnvironmentEntry>
  }
}

export interface Chart {
  readonly file: string
  readonly release: string
  readonly namespace: string
  readonly version: string
  readonly reference: string
  readonly values: Values
}

const header = /^# chart: (.+) (v?\d+\.\d+\.\d+), release ([a-z-]+), namespace ([a-z-]+)$/

export const charts: ReadonlyArray<Chart> = filesBelow(join(root, "charts"), ".values.yaml").map((file) => {
  const text = readFileSync(join(root, file), "utf8")
  const [, reference = "", version = "", release = "", namespace = ""] =
    header.exec(text.split("\n")[0] ?? "") ?? []
  return { file, reference, version, release, namespace, values: parse(text, { strict: true }) as Values }
})

export const chartOf = (release: string): Chart => {
  const found = charts.find((chart) => chart.release === release)
  if (found === undefined) throw new Error(`no values file of ${release}`)
  return found
}

/** ConfigMaps and Secrets that a release mounts or reads. */
export const needsOf = ({
  values
}: Chart): ReadonlyArray<readonly [kind: "ConfigMap" | "Secret", name: string]> => {
  const volumes = [
    ...(values.extraVolumes ?? []),
    ...(values.daemonSetVolumes ?? []),
    ...(values.controller?.volumes.extra ?? [])
  ]
  const maps = [
    values.configMap,
    values.existingConfigMap,
    values.alloy?.configMap.name,
    ...[...(values.envFrom ?? []), ...(values.alloy?.envFrom ?? [])].map(
      ({ configMapRef }) => configMapRef.name
    ),
    ...volumes.map(({ configMap }) => configMap?.name)
  ]
  const secrets = [
    ...(values.env ?? []).map(({ valueFrom }) => valueFrom?.secretKeyRef?.name),
    ...volumes.map(({ secret }) => secret?.secretName)
  ]
  return [
    ...maps.flatMap((name) => (name === undefined ? [] : [["ConfigMap", name] as const])),
    ...secrets.flatMap((name) => (name === undefined ? [] : [["Secret", name] as const]))
  ]
}

/** Names of the environment variables that a release's container has of ours. */
export const environmentOf = ({ values }: Chart): ReadonlyArray<string> => {
  const isTold = [...(values.envFrom ?? []), ...(values.alloy?.envFrom ?? [])].some(
    ({ configMapRef }) => configMapRef.name === "starform-cluster"
  )
  return [
    ...(isTold ? ["CLUSTER_ID", "REGION"] : []),
    ...[...(values.env ?? []), ...(values.alloy?.extraEnv ?? [])].map(({ name }) => name)
  ]
}
