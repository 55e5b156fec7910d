/** Which API server the suite runs against, by the environment. */
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"

export type ServerChoice =
  | { readonly _tag: "None"; readonly reason: string }
  | { readonly _tag: "Unusable"; readonly problem: string }
  | { readonly _tag: "Kubeconfig"; readonly file: string }
  | { readonly _tag: "Programs"; readonly programs: Programs }

/** Files of a folder in envtest's layout. */
export interface Programs {
  readonly etcd: string
  readonly apiServer: string
  readonly controllerManager: string | null
}

const unusable = (problem: string): ServerChoice => ({ _tag: "Unusable", problem })

const programsIn = (folder: string): ServerChoice => {
  const [etcd, apiServer, controllerManager] = ["etcd", "kube-apiserver", "kube-controller-manager"].map(
    (name) => join(folder, name)
  ) as [string, string, string]
  const missing = [etcd, apiServer].find((file) => !existsSync(file))
  if (missing !== undefined) return unusable(`KUBEBUILDER_ASSETS is set, but ${missing} is not there`)
  return {
    _tag: "Programs",
    programs: { etcd, apiServer, controllerManager: existsSync(controllerManager) ? controllerManager : null }
  }
}

/** Programs first: a shell that has a KUBECONFIG by habit must not lead the suite to somebody's cluster. */
export const choose = (environment: Readonly<Record<string, string | undefined>>): ServerChoice => {
  const { KUBEBUILDER_ASSETS: folder = "", KUBECONFIG: file = "" } = environment
  if (folder !== "") return programsIn(folder)
  if (file === "") {
    return {
      _tag: "None",
      reason:
        "neither KUBEBUILDER_ASSETS (a folder with etcd and kube-apiserver) nor KUBECONFIG (of a cluster without Starform) is set"
    }
  }
  if (file.includes(delimiter)) return unusable("KUBECONFIG names several files: name the one of the cluster")
  return existsSync(file)
    ? { _tag: "Kubeconfig", file }
    : unusable(`KUBECONFIG is ${file}, which is not there`)
}
