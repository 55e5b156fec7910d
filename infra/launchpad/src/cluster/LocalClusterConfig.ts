/** Settings of the local cluster's process. Environment keys are `LAUNCHPAD_…`; secrets come as files or redacted. */
import * as Config from "effect/Config"

/** Of the runtime, below the work directory. */
export const podFolder = "pods"

export const localClusterConfig = Config.all({
  kubernetesPort: Config.Port("KUBERNETES_PORT"),
  gatewayPort: Config.Port("GATEWAY_PORT"),
  /** PEM files. */
  certificateFile: Config.NonEmptyString("CERTIFICATE_FILE"),
  certificateKeyFile: Config.NonEmptyString("CERTIFICATE_KEY_FILE"),
  /** Bearer token of the API. */
  token: Config.Redacted("KUBERNETES_TOKEN"),
  /** 32 bytes, base64; encrypts Secrets on disk. */
  secretKey: Config.Redacted("KUBERNETES_KEY"),
  /** Of the object database. */
  databaseDirectory: Config.NonEmptyString("KUBERNETES_DIRECTORY"),
  /** The blob store that holds images. */
  blobDirectory: Config.NonEmptyString("BLOB_DIRECTORY"),
  /** Unpacked images and running apps; open to the users that run them. */
  workDirectory: Config.NonEmptyString("WORK_DIRECTORY"),
  /** `PATH` of apps, folders separated by colons. */
  searchPath: Config.NonEmptyString("SEARCH_PATH")
}).pipe(Config.nested("LAUNCHPAD"))
