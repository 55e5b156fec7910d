/** Who may speak with the pods of a project, and with whom they may. Pure. */
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import { isIpv6 } from "@starform/domain/ids/Cidr"
import type { V1NetworkPolicy, V1NetworkPolicyEgressRule } from "@kubernetes/client-node"
import type { Manifest } from "../kubernetes/Manifest.ts"
import { withDesiredHash } from "./internal/desiredHash.ts"
import type { ManifestSettings } from "./ManifestSettings.ts"
import { denyName, isolationName } from "./ObjectNames.ts"
import type { SharedManifest } from "./SharedManifest.ts"
import { environmentLabel, namespaceRoleLabel, projectLabels } from "./ShuttleLabels.ts"

const namespaceNameLabel = "kubernetes.io/metadata.name"

/** Nothing but what another policy allows, for every pod of the project, whoever made it. */
export const denyManifest = (app: DesiredApp, settings: ManifestSettings): Manifest =>
  withDesiredHash({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: {
      name: denyName,
      namespace: app.namespace,
      labels: projectLabels(app, settings.clusterId),
      annotations: {}
    },
    spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] }
  } satisfies Manifest & V1NetworkPolicy)

/** The client's types spell `from` otherwise than the API does. */
const ingress = (environment: string) => [
  { from: [{ podSelector: { matchLabels: { [environmentLabel]: environment } } }] },
  { from: [{ namespaceSelector: { matchLabels: { [namespaceRoleLabel]: "gateway" } } }] }
]

/**
 * The world by HTTPS. Its ranges leave out what is private: every pod, node and metadata service has an address in
 * those, so no other environment and no other project is part of the world.
 */
const world = ({ egressExcept }: ManifestSettings): V1NetworkPolicyEgressRule => ({
  to: [
    { ipBlock: { cidr: "0.0.0.0/0", except: egressExcept.filter((range) => !isIpv6(range)) } },
    { ipBlock: { cidr: "::/0", except: egressExcept.filter(isIpv6) } }
  ],
  ports: [{ protocol: "TCP", port: 443 }]
})

const databasesOf = (apps: ReadonlyArray<DesiredApp>): ReadonlyArray<{ cidr: string; port: number }> => {
  const known = new Map(
    apps.flatMap((app) => (app.databases ?? []).map((each) => [`${each.cidr} ${each.port}`, each] as const))
  )
  return [...known].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, database]) => database)
}

const egress = (
  environment: string,
  apps: ReadonlyArray<DesiredApp>,
  settings: ManifestSettings
): Array<V1NetworkPolicyEgressRule> => [
  { to: [{ podSelector: { matchLabels: { [environmentLabel]: environment } } }] },
  {
    to: [{ namespaceSelector: { matchLabels: { [namespaceNameLabel]: "kube-system" } } }],
    ports: [
      { protocol: "UDP", port: 53 },
      { protocol: "TCP", port: 53 }
    ]
  },
  ...databasesOf(apps).map(({ cidr, port }) => ({
    to: [{ ipBlock: { cidr } }],
    ports: [{ protocol: "TCP", port }]
  })),
  world(settings)
]

/** @param apps of one environment, at least one */
const isolation = (
  apps: readonly [DesiredApp, ...Array<DesiredApp>],
  settings: ManifestSettings
): Manifest => {
  const [first] = apps
  const { environment } = first
  return withDesiredHash({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: {
      name: isolationName(environment),
      namespace: first.namespace,
      labels: { ...projectLabels(first, settings.clusterId), [environmentLabel]: environment },
      annotations: {}
    },
    spec: {
      podSelector: { matchLabels: { [environmentLabel]: environment } },
      policyTypes: ["Ingress", "Egress"],
      ingress: ingress(environment),
      egress: egress(environment, apps, settings)
    }
  })
}

/** @param apps of one project; a policy for each environment that they are in */
export const isolationManifests = (
  apps: ReadonlyArray<DesiredApp>,
  settings: ManifestSettings
): ReadonlyArray<SharedManifest> => {
  const environments = new Map<string, [DesiredApp, ...Array<DesiredApp>]>()
  for (const app of apps) {
    const others = environments.get(app.environment)
    if (others === undefined) environments.set(app.environment, [app])
    else others.push(app)
  }
  return Array.from(environments.values(), (members) => ({
    manifest: isolation(members, settings),
    users: new Set(members.map(({ appId }) => appId))
  }))
}
