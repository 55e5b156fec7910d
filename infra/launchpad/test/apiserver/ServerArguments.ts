/** What etcd, kube-apiserver and kube-controller-manager are told: all on loopback, all in one folder. */
import { join } from "node:path"

/** Files of the folder, by what they are for. */
export const filesOf = (folder: string) => ({
  data: join(folder, "etcd"),
  certificates: join(folder, "certificates"),
  certificate: join(folder, "server.crt"),
  certificateKey: join(folder, "server.key"),
  tokens: join(folder, "tokens.csv"),
  accountKey: join(folder, "service-accounts.key"),
  accountPublicKey: join(folder, "service-accounts.pub"),
  kubeconfig: join(folder, "kubeconfig")
})

/** Nothing here outlives the run: no write waits for the disk. */
export const etcdArguments = (folder: string, port: number): ReadonlyArray<string> => [
  `--data-dir=${filesOf(folder).data}`,
  `--listen-client-urls=http://127.0.0.1:${port}`,
  `--advertise-client-urls=http://127.0.0.1:${port}`,
  "--listen-peer-urls=http://127.0.0.1:0",
  "--unsafe-no-fsync"
]

/** Both wait for what only a controller makes: accounts of new namespaces, and what a quota already holds. */
const needControllers = "ServiceAccount,ResourceQuota"

export const apiServerArguments = (
  folder: string,
  ports: { readonly etcd: number; readonly api: number },
  hasControllers: boolean
): ReadonlyArray<string> => {
  const files = filesOf(folder)
  return [
    `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
    "--bind-address=127.0.0.1",
    "--advertise-address=127.0.0.1",
    // It would write its address into the cluster, which may not be a loopback one.
    "--endpoint-reconciler-type=none",
    `--secure-port=${ports.api}`,
    `--cert-dir=${files.certificates}`,
    `--tls-cert-file=${files.certificate}`,
    `--tls-private-key-file=${files.certificateKey}`,
    `--token-auth-file=${files.tokens}`,
    "--authorization-mode=RBAC",
    `--service-account-issuer=https://127.0.0.1:${ports.api}`,
    `--service-account-key-file=${files.accountPublicKey}`,
    `--service-account-signing-key-file=${files.accountKey}`,
    "--service-cluster-ip-range=10.0.0.0/24",
    ...(hasControllers ? [] : [`--disable-admission-plugins=${needControllers}`])
  ]
}

export const controllerManagerArguments = (folder: string): ReadonlyArray<string> => {
  const files = filesOf(folder)
  return [
    `--kubeconfig=${files.kubeconfig}`,
    `--service-account-private-key-file=${files.accountKey}`,
    `--root-ca-file=${files.certificate}`,
    "--leader-elect=false",
    "--bind-address=127.0.0.1",
    "--secure-port=0"
  ]
}
