/** Pod specs of infra/kubernetes, as far as tests look into them, and what keeps one out of a namespace of level restricted. */
import { complaint } from "@starform/launchpad/kubernetes/admission/PodSecurity"

interface SecurityContext {
  readonly runAsNonRoot?: boolean
  readonly runAsUser?: number
  readonly privileged?: boolean
  readonly allowPrivilegeEscalation?: boolean
  readonly readOnlyRootFilesystem?: boolean
  readonly seccompProfile?: { readonly type: string }
  readonly capabilities?: { readonly drop?: ReadonlyArray<string>; readonly add?: ReadonlyArray<string> }
}

interface Container {
  readonly name: string
  readonly image: string
  readonly securityContext?: SecurityContext
  readonly ports?: ReadonlyArray<{ readonly hostPort?: number }>
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>
    readonly limits?: Readonly<Record<string, string>>
  }
  readonly livenessProbe?: unknown
  readonly readinessProbe?: unknown
}

export interface PodSpec {
  readonly securityContext?: SecurityContext
  readonly containers: ReadonlyArray<Container>
  readonly initContainers?: ReadonlyArray<Container>
  readonly volumes?: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly hostNetwork?: boolean
  readonly hostPID?: boolean
  readonly hostIPC?: boolean
}

/** By the rules of the local cluster's admission, which are held to Kubernetes' own answers. */
export const breaches = (pod: PodSpec): ReadonlyArray<string> => {
  const found = complaint({ ...pod })
  return found === undefined ? [] : [found]
}
